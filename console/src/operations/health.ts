import { queryOptions } from '@tanstack/react-query';
import { api } from '../api/client';
import { Problem } from '../api/problem';

/** Whether the server is ready: it answers 503 with what is missing when it is not. */
export const readiness = queryOptions({
  queryKey: ['health', 'ready'],
  refetchInterval: 5_000,
  queryFn: async ({ signal }) => {
    const response = await fetch('/readyz', { signal }).catch((e: Error) => {
      throw e.name === 'AbortError' ? e : new Problem(0, 'Network', e.message);
    });
    return (await response.json()) as { ready: boolean; missing: string[] };
  },
});

/** A metric with its labels. */
interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** What is shown of /metrics. */
export interface Gauges {
  version?: string;
  relayState?: string;
  relayTransactions?: number;
  relaySeconds?: number;
  published?: number;
  followers?: number;
  warehouseState?: string;
  warehouseMessages?: number;
  warehouseSeconds?: number;
  deadLetters?: number;
  reconciledEqual?: number;
  reconciledAt?: number;
}

/** Reads Prometheus' text format, as far as the few metrics shown need it. */
export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(casm_\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!name) continue;
    samples.push({
      name,
      labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1]!, m[2]!])),
      value: Number(value),
    });
  }
  return samples;
}

/** Picks what is shown. The relay is the one that feeds the stream. */
export function gaugesOf(samples: Sample[]): Gauges {
  const find = (name: string) => samples.find((s) => s.name === name && (s.labels.relay ?? 'stream') === 'stream');
  const state = (name: string) =>
    samples.find((s) => s.name === name && s.value === 1 && (s.labels.relay ?? 'stream') === 'stream')?.labels.state;
  return {
    version: find('casm_build_info')?.labels.version,
    relayState: state('casm_relay_state'),
    relayTransactions: find('casm_relay_lag_transactions')?.value,
    relaySeconds: find('casm_relay_lag_seconds')?.value,
    published: find('casm_relay_published_total')?.value,
    followers: find('casm_http_streams')?.value,
    warehouseState: state('casm_warehouse_state'),
    warehouseMessages: find('casm_warehouse_lag_messages')?.value,
    warehouseSeconds: find('casm_warehouse_lag_seconds')?.value,
    deadLetters: find('casm_warehouse_dead_letters')?.value,
    reconciledEqual: find('casm_warehouse_reconciliation_equal')?.value,
    reconciledAt: find('casm_warehouse_reconciliation_timestamp_seconds')?.value,
  };
}

export const gauges = queryOptions({
  queryKey: ['health', 'metrics'],
  refetchInterval: 5_000,
  queryFn: async ({ signal }) => {
    const { data } = await api.GET('/metrics', { parseAs: 'text', signal });
    return gaugesOf(parseMetrics(data as string));
  },
});
