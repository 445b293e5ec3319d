import { Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useId } from 'react';
import type { Schemas } from '../api/client';
import { membersOf, type Schema, typeOf, useSchemas } from '../api/schema';
import { formatDecimal } from '../form/decimal';
import { useLabel } from '../form/SchemaForm';
import { catalogueQuery } from '../form/services';
import { When } from '../parts/When';
import { Scroll } from '../parts/Scroll';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import { parts } from '../texts/parts';
import classes from './care.module.css';
import { type Balance, type Collection, collectionOf, type Entity, kinds, type Reference } from './entities';
import { useEntitySchema } from './labels';
import { Balances, PlannedChange } from './operate';
import { amountOf } from './operate/amounts';
import { Coded, ReferenceLink, StateBadge } from './parts';
import { Resources } from './Resources';

/** Shown in a place of their own. */
const elsewhere = new Set(['state', 'plannedState', 'plannedBillCycle', 'customAttributes', 'services', 'customName']);

/** All that is known of an entity. */
export function Details({ collection, entity, asOf }: { collection: Collection; entity: Entity; asOf?: string }) {
  const t = useTexts(care);
  const { schema, label } = useEntitySchema(collection);
  const attributes = Object.entries(entity.customAttributes ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const values = entity as unknown as Record<string, unknown>;
  const members = membersOf(schema).filter(([name]) => !elsewhere.has(name) && values[name] !== undefined);
  return (
    <>
      {asOf ? <PlanThen entity={entity} /> : <PlannedChange kind={kinds[collection]} entity={entity} />}
      {collection === 'subscriptions' && (
        <Section title={t.balances}>
          {asOf ? <BalancesThen balances={entity.balances ?? []} /> : <Balances subscription={entity} />}
        </Section>
      )}
      {collection === 'subscribers' && (
        <Section title={t.resources}>
          <Resources refId={entity.refId} asOf={asOf} />
        </Section>
      )}
      <Section title={t.identity}>
        <dl className={classes.members}>
          {members.map(([name, member]) => (
            <div key={name} data-member={name}>
              <dt title={member.description}>{label(name)}</dt>
              <dd>
                <Value schema={member} value={values[name]} />
              </dd>
            </div>
          ))}
        </dl>
      </Section>
      {attributes.length > 0 && (
        <Section title={t.customAttributes}>
          <dl className={classes.members}>
            {attributes.map(([key, value]) => (
              <div key={key}>
                <dt>
                  <bdi>{key}</bdi>
                </dt>
                <dd className={classes.lines}>
                  <bdi>{value}</bdi>
                </dd>
              </div>
            ))}
          </dl>
        </Section>
      )}
      {entity.services && entity.services.length > 0 && (
        <Section title={t.services}>
          <div className={classes.services}>
            {entity.services.map((service) => (
              <Service key={service.service} service={service} />
            ))}
          </div>
        </Section>
      )}
    </>
  );
}

export function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={classes.section}>
      <h2 id={id} className={classes.caption}>
        {title}
      </h2>
      {children}
    </section>
  );
}

/** A member's value, as its schema says what it is. */
function Value({ schema, value }: { schema: Schema; value: unknown }) {
  const { resolve } = useSchemas();
  const t = useTexts(parts);
  const shape = resolve(schema);
  const to = collectionOf[shape['x-casm-entity'] ?? ''];
  if (to) return <ReferenceLink collection={to} reference={value as Reference} />;
  if (shape['x-casm-collection']) return <Coded collection={shape['x-casm-collection']} code={String(value)} />;
  if (typeOf(shape) === 'boolean') return value ? t.yes : t.no;
  if (shape.format === 'date-time') return <When at={String(value)} />;
  return <bdi>{typeof value === 'object' ? JSON.stringify(value) : String(value)}</bdi>;
}

/** A service with its attributes, labelled by the catalogue. */
function Service({ service }: { service: Schemas['Service'] }) {
  const { data } = useQuery(catalogueQuery);
  const say = useLabel();
  const p = useTexts(parts);
  const spec = data?.find((s) => s.kind === service.kind);
  return (
    <div className={classes.service}>
      <h3>
        <bdi>{service.service}</bdi> <span className={classes.dimmed}>{say(spec?.name) || service.kind}</span>
      </h3>
      <dl className={classes.members}>
        {Object.entries(service.attributes ?? {}).map(([name, value]) => {
          const attribute = spec?.attributes.find((a) => a.name === name);
          return (
            <div key={name}>
              <dt title={attribute?.help}>{say(attribute?.label) || name}</dt>
              <dd>
                <AttributeValue type={attribute?.type} from={attribute?.ref} value={value} yes={p.yes} no={p.no} />
              </dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}

function AttributeValue({ type, from, value, yes, no }: { type?: string; from?: string; value: unknown; yes: string; no: string }) {
  if (typeof value === 'boolean') return value ? yes : no;
  if (typeof value === 'number' && type === 'money') return formatDecimal(value, 6);
  if (typeof value === 'number' && type === 'percentage') return `${formatDecimal(value, 4)} %`;
  if (type === 'timestamp') return <When at={String(value)} />;
  if (type === 'code' && from) return <Coded collection={from} code={String(value)} />;
  return <bdi>{String(value)}</bdi>;
}

/** What was planned at a past time. */
function PlanThen({ entity: { plannedState: state, plannedBillCycle: cycle } }: { entity: Entity }) {
  const t = useTexts(care);
  if (!state && !cycle) return null;
  return (
    <Section title={state ? t.plannedState : t.plannedBillCycle}>
      {state && (
        <Text size="sm">
          <StateBadge state={state.state} /> <Coded collection="state-reasons" code={state.stateReason} /> {t.from.toLowerCase()}{' '}
          <When at={state.stateValidFrom} /> {state.pending && `(${t.pending})`}
        </Text>
      )}
      {cycle && (
        <Text size="sm">
          {t.plannedBillCycle}: <Coded collection="bill-cycles" code={cycle.billCycle} /> {t.from.toLowerCase()}{' '}
          <When at={cycle.validFrom} />
        </Text>
      )}
    </Section>
  );
}

/** The balances at a past time: to read only. */
function BalancesThen({ balances }: { balances: Balance[] }) {
  const t = useTexts(care);
  if (balances.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.noHits}
      </Text>
    );
  return (
    <Scroll label={t.balances}>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t.services}</Table.Th>
            <Table.Th scope="col">{t.actual}</Table.Th>
            <Table.Th scope="col">{t.granted}</Table.Th>
            <Table.Th scope="col">{t.to}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {balances.map((b) => (
            <Table.Tr key={b.refId}>
              <Table.Td>
                <bdi>{b.service}</bdi>
              </Table.Td>
              <Table.Td>{amountOf(b, b.actualBalance)}</Table.Td>
              <Table.Td>{amountOf(b, b.grantedBalance)}</Table.Td>
              <Table.Td>{b.validTo ? <When at={b.validTo} /> : t.still}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
