import { infiniteQueryOptions } from '@tanstack/react-query';
import { api } from '../api/client';
import { attributeOf, type Filters } from './address';
import { type Collection, type Entity, listPath } from './entities';

const pageSize = 500;

const owners = ['customer', 'account', 'subscriber'] as const;

/** Whose members a list can be narrowed to. */
const narrowed: Record<Collection, readonly string[]> = {
  customers: [],
  accounts: ['customer', 'account'],
  subscribers: ['customer', 'account'],
  subscriptions: owners,
};

/** The filters as the API takes them, for what the collection knows. */
function queryOf(collection: Collection, { attribute, planned, segment, offer, ...rest }: Filters): Record<string, unknown> {
  const query: Record<string, unknown> = collection === 'subscriptions' ? { ...rest, offer } : { ...rest, segment };
  const pair = attributeOf(attribute);
  if (pair) query[`customAttributes.${pair.key}`] = [pair.value];
  if (planned) query.plannedBefore = '2199-12-31T23:59:59Z';
  for (const name of owners) if (!narrowed[collection].includes(name)) delete query[name];
  return query;
}

/** A filtered list, page by page in the server's order. */
export function listQuery(collection: Collection, filters: Filters) {
  const query = queryOf(collection, filters);
  return infiniteQueryOptions({
    queryKey: [collection, 'list', query],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET(listPath(collection), {
        params: { query: { ...query, limit: pageSize, cursor: pageParam } as object },
        signal,
      });
      return { items: (data?.items ?? []) as Entity[], next: data?.nextCursor };
    },
    getNextPageParam: (last) => last.next,
    // To compare a list of any length with what it was would hold up who scrolls.
    structuralSharing: false,
    // A list that was scrolled far is not read again whole each time that one comes back to it.
    staleTime: 60_000,
  });
}
