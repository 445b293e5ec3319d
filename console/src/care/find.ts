import { queryOptions } from '@tanstack/react-query';
import { api, queryClient } from '../api/client';
import { Problem } from '../api/problem';
import { itemsQuery } from '../form/pickers';
import { attributeOf } from './address';
import { type Collection, collections, type Entity, listPath, readPath } from './entities';

/** Entities of one collection that were found in one way. `more`: the whole list has others. */
export interface Hits {
  collection: Collection;
  entities: Entity[];
  more: boolean;
}

/** What was found in one way. `detail` is the attribute or the value of the resource. */
export interface Found {
  by: 'refId' | 'externalId' | 'customName' | 'resource' | 'attribute';
  detail?: string;
  hits: Hits[];
}

export interface Answer {
  found: Found[];
  /** Whether a part of the search failed; what was found is there all the same. */
  partly: boolean;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const shown = 10;
/** Of how many attributes the value is looked for, where no attribute was named. */
const triedKeys = 6;

type Query = Record<string, string | string[] | number>;

async function list(collection: Collection, query: Query, signal: AbortSignal): Promise<Hits> {
  const { data } = await api.GET(listPath(collection), { params: { query: { ...query, limit: shown } as object }, signal });
  return { collection, entities: (data?.items ?? []) as Entity[], more: data?.nextCursor !== undefined };
}

/** One entity by a read; none when it is not there. */
async function one(collection: Collection, query: Query, signal: AbortSignal): Promise<Hits> {
  try {
    const { data } = await api.GET(readPath(collection), { params: { query: query as object }, signal });
    return { collection, entities: [data as Entity], more: false };
  } catch (error) {
    if (error instanceof Problem && (error.has('not_found') || error.has('invalid_value')))
      return { collection, entities: [], more: false };
    throw error;
  }
}

/** The attributes that are in use, the most frequent first: of the collection's beginning, which is read once in a while. */
function keysQuery(collection: Collection) {
  return queryOptions({
    queryKey: ['config', 'attribute keys', collection],
    staleTime: 10 * 60_000,
    queryFn: async ({ signal }) => {
      const { data } = await api.GET(listPath(collection), { params: { query: { limit: 200 } }, signal });
      const count = new Map<string, number>();
      for (const { customAttributes } of data?.items ?? [])
        for (const key of Object.keys(customAttributes ?? {})) count.set(key, (count.get(key) ?? 0) + 1);
      return [...count].sort(([, a], [, b]) => b - a).map(([key]) => key);
    },
  });
}

async function byAttribute(text: string, signal: AbortSignal): Promise<Found[]> {
  const named = attributeOf(text);
  const tries = await Promise.all(
    collections.map(async (collection) => {
      const keys = named ? [named.key] : (await queryClient.fetchQuery(keysQuery(collection))).slice(0, triedKeys);
      return keys.map((key) => ({ collection, key }));
    }),
  );
  const hits = await Promise.all(
    tries.flat().map(async ({ collection, key }) => ({
      key,
      hits: await list(collection, { [`customAttributes.${key}`]: named?.value ?? text }, signal),
    })),
  );
  const byKey = new Map<string, Hits[]>();
  for (const { key, hits: h } of hits) byKey.set(key, [...(byKey.get(key) ?? []), h]);
  return [...byKey].map(([detail, of]) => ({ by: 'attribute', detail, hits: of }));
}

/** People write numbers with spaces and a plus; they are kept without. */
function resourceValues(text: string): string[] {
  const bare = text.replace(/^(\+|00)(?=\d)/, '').replace(/(?<=[\d()])[\s/()-]+|[()]/g, '');
  return [...new Set([text, /^\d+$/.test(bare) ? bare : text])];
}

async function byResource(text: string, signal: AbortSignal): Promise<Found[]> {
  const types = (await queryClient.fetchQuery({ ...itemsQuery('resource-types'), staleTime: 60_000 })).map((t) => t.code);
  const tries = types.flatMap((resourceType) => resourceValues(text).map((resource) => ({ resourceType, resource })));
  return Promise.all(
    tries.map(async ({ resourceType, resource }): Promise<Found> => {
      const hits = await list('subscribers', { resourceType, resource }, signal);
      return { by: 'resource', detail: `${resourceType} ${resource}`, hits: [hits] };
    }),
  );
}

/** As it was typed, and as names are written. */
const spellings = (text: string) => [...new Set([text, text.charAt(0).toUpperCase() + text.slice(1)])];

/** Everything that a text may mean, at once: whatever finds something is told with what it matched. */
async function find(text: string, signal: AbortSignal): Promise<Answer> {
  const all = async (by: Found['by'], get: (c: Collection) => Promise<Hits>): Promise<Found[]> => [
    { by, hits: await Promise.all(collections.map(get)) },
  ];
  const ways = [
    uuid.test(text) ? all('refId', (c) => one(c, { refId: text }, signal)) : Promise.resolve([]),
    byResource(text, signal),
    all('externalId', (c) => list(c, { externalId: text }, signal)),
    all('customName', (c) => list(c, { customName: spellings(text) }, signal)),
    byAttribute(text, signal),
  ];
  const done = await Promise.allSettled(ways);
  const failed = done.find((d) => d.status === 'rejected');
  const found = done
    .flatMap((d) => (d.status === 'fulfilled' ? d.value : []))
    .map((f) => ({ ...f, hits: f.hits.filter((h) => h.entities.length > 0) }))
    .filter((f) => f.hits.length > 0);
  if (failed && found.length === 0) throw failed.reason;
  return { found, partly: failed !== undefined };
}

export function findQuery(text: string) {
  return queryOptions({
    queryKey: ['found', text],
    enabled: text !== '',
    queryFn: ({ signal }) => find(text, signal),
  });
}

/** The different entities among what was found. */
export function distinct({ found }: Answer): { collection: Collection; entity: Entity }[] {
  const all = found.flatMap((f) => f.hits.flatMap((h) => h.entities.map((entity) => ({ collection: h.collection, entity }))));
  return [...new Map(all.map((hit) => [hit.entity.refId, hit])).values()];
}
