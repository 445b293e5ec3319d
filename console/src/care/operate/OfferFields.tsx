import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { isolated, itemsQuery, NamedField } from '../../form/pickers';
import { Group, SchemaForm, useLabel } from '../../form/SchemaForm';
import { attributesSchema, catalogueQuery } from '../../form/services';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import type { Values } from './operations';
import { at, below, type SpecialProps } from './special';

type Offer = Schemas['Offer'];
type Version = NonNullable<Offer['versions']>[number];
type Product = Schemas['Product'];

/** The version that a subscription takes: the last one that has begun by then. */
export function versionAt(offer: Offer | undefined, from: unknown): Version | undefined {
  const when = Math.max(Date.now(), typeof from === 'string' ? Date.parse(from) : 0);
  const begin = (v: Version) => (v.validFrom ? Date.parse(v.validFrom) : Number.NEGATIVE_INFINITY);
  const begun = (offer?.versions ?? []).filter((v) => begin(v) <= when);
  return begun.reduce<Version | undefined>(
    (best, v) => (!best || begin(v) > begin(best) || (begin(v) === begin(best) && v.version > best.version) ? v : best),
    undefined,
  );
}

/** An offer among those that fit the operation, and the attributes of its individual services. */
export function OfferFields({ operation, values, onChange, problem }: SpecialProps) {
  const t = useTexts(operate);
  const say = useLabel();
  const offers = useQuery(itemsQuery('offers')).data as unknown as Offer[] | undefined;
  const products = useQuery(itemsQuery('products')).data as unknown as Product[] | undefined;
  const { data: catalogue } = useQuery(catalogueQuery);
  const typed = /\/individual\/(.+)\/create$/.exec(operation.path)?.[1];
  const general = operation.path.endsWith('/individual/create');

  const from = (values.state as Values | undefined)?.stateValidFrom;
  const individual = (offer: Offer | undefined) => {
    const services = products?.find((p) => p.code === offer?.product)?.services ?? [];
    return (versionAt(offer, from)?.services ?? [])
      .filter((s) => s.individual)
      .map((s) => ({ ...s, ...services.find((p) => p.code === s.service) }));
  };
  const fits = (offer: Offer) => {
    const services = individual(offer);
    if (typed) return services.length === 1 && services[0]?.kind === typed;
    return general ? services.length > 0 : services.length === 0;
  };
  const options = (offers ?? [])
    .filter((o) => o.code === values.offer || (!o.retired && versionAt(o, from) && fits(o)))
    .map((o) => ({ value: o.code, label: `${o.code} — ${isolated(o.name)}` }));

  /** What an attribute is unless the request says otherwise. */
  const effective = (service: ReturnType<typeof individual>[number]): Values => {
    const spec = catalogue?.find((s) => s.kind === service.kind);
    const defaults = (spec?.attributes ?? []).flatMap((a) => (a.default === undefined || a.default === null ? [] : [[a.name, a.default]]));
    return { ...Object.fromEntries(defaults), ...service.attributes };
  };

  const chosen = offers?.find((o) => o.code === values.offer);
  const services = typed || general ? individual(chosen) : [];
  const currency = versionAt(chosen, from)?.currency;
  const given = (values.services ?? []) as { service: string; attributes?: Values }[];

  const choose = (code: unknown) => {
    const next: Values = { ...values, offer: code };
    delete next.attributes;
    delete next.services;
    const fresh = individual(offers?.find((o) => o.code === code));
    if (typed) next.attributes = fresh[0] ? effective(fresh[0]) : {};
    if (general) next.services = fresh.map((s) => ({ service: s.service, attributes: effective(s) }));
    onChange(next);
  };
  const offerSchema = operation.schema.properties!.offer!;
  return (
    <>
      <NamedField
        schema={offerSchema}
        value={values.offer}
        onChange={choose}
        options={options}
        wrap={{
          label: say(offerSchema.title),
          description: typed || general ? t.individualOnly : t.notIndividual,
          error: at(problem, '/offer'),
          'aria-required': true,
          'data-pointer': '/offer',
        }}
      />
      {services.map((service, i) => {
        const schema = attributesSchema(catalogue?.find((s) => s.kind === service.kind));
        if (!schema) return null;
        for (const [name, a] of Object.entries(schema.properties ?? {}))
          if (currency && a['x-casm-as'] === 'money') schema.properties![name] = { ...a, description: t.inCurrency(currency) };
        const pointer = typed ? '/attributes' : `/services/${i}/attributes`;
        const attributes = typed ? values.attributes : given[i]?.attributes;
        return (
          <Group
            key={service.service}
            wrap={{
              label: `${isolated(service.name ?? service.service)}${currency ? ` (${currency})` : ''}`,
              error: at(problem, pointer) ?? (typed ? undefined : at(problem, `/services/${i}/service`)),
              'data-pointer': pointer,
            }}
          >
            <SchemaForm
              schema={schema}
              value={(attributes ?? {}) as Values}
              problem={below(problem, pointer)}
              onChange={(v) => {
                if (typed) onChange({ ...values, attributes: v });
                else
                  onChange({
                    ...values,
                    services: services.map((s, n) =>
                      n === i ? { service: s.service, attributes: v } : (given[n] ?? { service: s.service }),
                    ),
                  });
              }}
            />
          </Group>
        );
      })}
    </>
  );
}
