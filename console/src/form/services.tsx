import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, type Schemas } from '../api/client';
import type { Schema } from '../api/schema';
import type { FieldProps } from './fields';
import { itemsQuery, NamedField } from './pickers';

type Product = { services?: { code: string; name?: string; kind: string }[] };
type Values = Record<string, unknown>;

export const catalogueQuery = queryOptions({
  queryKey: ['config', 'services'],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async ({ signal }) => (await api.GET('/v1/config/services', { signal })).data?.items ?? [],
});

/** A kind of the service catalogue. */
export function ServiceKindField(props: FieldProps) {
  const { data } = useQuery(catalogueQuery);
  return <NamedField {...props} options={(data ?? []).map((s) => ({ value: s.kind, label: s.name }))} />;
}

function useProductServices(root: Values) {
  const { data } = useQuery(itemsQuery('products'));
  return (data?.find((p) => p.code === root.product) as Product | undefined)?.services ?? [];
}

/** A service of the product that the form names. */
export function ProductServiceField({ root, ...props }: FieldProps & { root: Values }) {
  const services = useProductServices(root);
  return <NamedField {...props} options={services.map((s) => ({ value: s.code, label: s.name ? `${s.code} — ${s.name}` : s.code }))} />;
}

/** The schema of the attributes of the service that stands beside them; none until a service is chosen. */
export function useAttributesSchema(root: Values, service: unknown): Schema | undefined {
  const { data } = useQuery(catalogueQuery);
  const kind = useProductServices(root).find((s) => s.code === service)?.kind;
  return attributesSchema(data?.find((s) => s.kind === kind));
}

/** The attributes of a kind of service as a form has them. */
export function attributesSchema(spec: Schemas['ServiceSpec'] | undefined): Schema | undefined {
  if (!spec) return undefined;
  const properties: Record<string, Schema> = {};
  for (const a of spec.attributes) {
    const schema: Schema = { title: a.label, description: a.help, default: a.default, minimum: a.min, maximum: a.max };
    switch (a.type) {
      case 'money':
      case 'percentage':
        properties[a.name] = { ...schema, type: 'integer', 'x-casm-as': a.type };
        break;
      case 'enum':
        properties[a.name] = { ...schema, type: 'string', enum: a.values };
        break;
      case 'timestamp':
        properties[a.name] = { ...schema, type: 'string', format: 'date-time' };
        break;
      case 'code':
        properties[a.name] = { ...schema, type: 'string', 'x-casm-collection': a.ref };
        break;
      default:
        properties[a.name] = { ...schema, type: a.type };
    }
  }
  return { type: 'object', properties, required: spec.attributes.filter((a) => a.mandatory).map((a) => a.name) };
}
