import { queryOptions } from '@tanstack/react-query';
import { api } from '../../api/client';

/** The balances of a subscription, valid and expired ones. */
export function balancesQuery(refId: string) {
  return queryOptions({
    queryKey: ['subscriptions', refId, 'balances'],
    queryFn: async ({ signal }) =>
      (await api.GET('/v1/casm/subscriptions/balances/read', { params: { query: { refId } }, signal })).data?.items ?? [],
  });
}
