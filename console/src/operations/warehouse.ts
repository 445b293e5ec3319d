import { queryOptions } from '@tanstack/react-query';
import { api } from '../api/client';
import { asProblem } from '../api/problem';

/** The warehouse's metrics; null where the server keeps no warehouse. */
export const warehouseMetrics = (test = false) =>
  queryOptions({
    queryKey: ['warehouse', 'metrics', test],
    refetchInterval: 5_000,
    queryFn: async ({ signal }) => {
      try {
        return (await api.GET('/v1/dwh/metrics', { params: { query: { test } }, signal })).data!;
      } catch (error) {
        if (asProblem(error).status === 404) return null;
        throw error;
      }
    },
  });

export type Balance = NonNullable<Awaited<ReturnType<NonNullable<ReturnType<typeof warehouseMetrics>['queryFn']>>>>['balances'][number];

/** What a balance counts, and how much, for people: money in its unit. */
export function amount(balance: Balance, value: number, language: string): string {
  if (!balance.currency) return value.toLocaleString(language);
  return (value / 1e6).toLocaleString(language, { minimumFractionDigits: 2, maximumFractionDigits: 6 });
}
