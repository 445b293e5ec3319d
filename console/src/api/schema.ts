import { queryOptions, useSuspenseQuery } from '@tanstack/react-query';
import { api } from './client';
import type { Permission } from './session';

/** What of JSON Schema our server uses, with its own x-casm members (httpapi/schema.go). */
export interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  type?: string | string[];
  title?: string;
  description?: string;
  format?: string;
  enum?: (string | null)[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  readOnly?: boolean;
  /** The configuration collection whose code it is. */
  'x-casm-collection'?: string;
  /** The kind of the entity that it refers to. */
  'x-casm-entity'?: string;
  'x-casm-order'?: number;
  'x-casm-multiline'?: boolean;
  /** Cannot change after the creation. */
  'x-casm-fixed'?: boolean;
  /** Cannot change while it is referred to. */
  'x-casm-frozen'?: boolean;
  /** What the value means beyond its type. */
  'x-casm-as'?: 'percentage' | 'money' | 'serviceKind' | 'productService' | 'serviceAttributes' | 'secret';
  /** The member that the item behind a code must have in common with this object. */
  'x-casm-same'?: string;
}

interface Described {
  operationId?: string;
  summary?: string;
  security?: Record<string, Permission[]>[];
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
  requestBody?: { content: Record<string, { schema: Schema }> };
}

/** A POST of the API with the schema of its body. */
export interface Operation {
  id: string;
  path: string;
  summary: string;
  schema: Schema;
  /** What it needs. */
  permission?: Permission;
}

interface Document {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
}

const document = queryOptions({
  queryKey: ['openapi'],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async () => (await api.GET('/openapi.json')).data as unknown as Document,
});

/** The schemas that the server serves: what it has learned since the console was built is in them. */
export function useSchemas() {
  const { data } = useSuspenseQuery(document);
  /** The schema that a reference names; what stands beside the reference wins. */
  function resolve(schema: Schema): Schema {
    const target = schema.$ref ? data.components.schemas[schema.$ref.slice('#/components/schemas/'.length)] : undefined;
    if (target) return { ...resolve(target), ...schema, $ref: undefined };
    const inner = schema.anyOf?.find((s) => s.$ref);
    if (inner) return { ...resolve(inner), ...schema, anyOf: undefined };
    return schema;
  }
  return {
    resolve,
    /** The schema of a request's body, such as ofRequest('/v1/config/offers', 'post'). */
    ofRequest(path: string, method: string): Schema | undefined {
      const schema = data.paths[path]?.[method]?.requestBody?.content['application/json']?.schema;
      return schema && resolve(schema);
    },
    /** What is told of each item of a collection: as its form has it, and then what the server alone says. */
    ofItems(path: string): Schema | undefined {
      const list = data.paths[path]?.get?.responses['200']?.content?.['application/json']?.schema;
      const told = list && resolve(resolve(list).properties?.items?.items ?? {}).properties;
      if (!told) return undefined;
      const given = this.ofRequest(path, 'post')?.properties ?? {};
      const members = Object.entries(told).map(([name, s]) => [name, given[name] ?? { title: wordsOf(name), readOnly: true, ...s }]);
      return { type: 'object', properties: Object.fromEntries(members) };
    },
    /** Every POST below a path, in the order of the description. */
    operations(below: string): Operation[] {
      return Object.entries(data.paths).flatMap(([path, methods]) => {
        const schema = methods.post?.requestBody?.content['application/json']?.schema;
        if (!path.startsWith(below) || !schema) return [];
        return [
          {
            id: methods.post?.operationId ?? path,
            path,
            summary: methods.post?.summary ?? '',
            schema: resolve(schema),
            permission: methods.post?.security?.[0]?.apiKey?.[0],
          },
        ];
      });
    },
  };
}

/** A member's name as the server makes its labels: Created At of createdAt. */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, ' $&').replace(/^./, (c) => c.toUpperCase());
}

/** The JSON type, null aside. */
export function typeOf(schema: Schema): string | undefined {
  return Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type;
}

/** The pointers of members that are entered and never shown. */
export function secretsOf(schema: Schema): string[] {
  return membersOf(schema).flatMap(([name, s]) => (s['x-casm-as'] === 'secret' ? [`/${name}`] : []));
}

/** The members that the server alone gives. */
export function givenOf(schema: Schema): string[] {
  return membersOf(schema).flatMap(([name, s]) => (s.readOnly ? [name] : []));
}

/** The members in the order in which a form has them. */
export function membersOf(schema: Schema): [string, Schema][] {
  const order = (s: Schema) => s['x-casm-order'] ?? 0;
  return Object.entries(schema.properties ?? {}).sort(([, a], [, b]) => order(a) - order(b)); // stable
}
