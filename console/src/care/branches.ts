import { useQueries } from '@tanstack/react-query';
import type { Balance, Collection, Entity, Place, Resource } from './entities';
import { entityQuery } from './entities';

/** A line of the tree. `owner` is whose page it opens: of a resource and a balance the one that has it. */
export interface Line {
  key: string;
  level: number;
  /** Its place among those beside it. */
  at: number;
  of: number;
  owner: Place;
  what:
    | { entity: Entity; open: boolean; loading: boolean; leaf: boolean }
    | { resource: Resource }
    | { balance: Balance }
    | { rest: Collection }
    | { failed: true };
}

/** What stands directly below an entity, as its read tells. */
function childrenOf(collection: Collection, e: Entity): { collection: Collection; entity: Entity }[] {
  const of = (collection: Collection, list: Entity[] | undefined) => (list ?? []).map((entity) => ({ collection, entity }));
  switch (collection) {
    case 'customers':
      return [
        ...of(
          'accounts',
          e.accounts?.filter((a) => !a.parent),
        ),
        ...of('subscriptions', e.offers),
      ];
    case 'accounts':
      return [...of('accounts', e.subordinates), ...of('subscribers', e.subscribers), ...of('subscriptions', e.offers)];
    case 'subscribers':
      return of('subscriptions', e.offers);
    case 'subscriptions':
      return [];
  }
}

/** The lists that are longer than a read includes. */
function restOf(e: Entity): Collection[] {
  return [
    ...(e.accountsTruncated || e.subordinatesTruncated ? (['accounts'] as const) : []),
    ...(e.subscribersTruncated ? (['subscribers'] as const) : []),
    ...(e.offersTruncated ? (['subscriptions'] as const) : []),
  ];
}

/** The lines in sight of a customer's tree: each branch is read when it is opened. */
export function useLines(root: Place, opened: Place[], asOf: string | undefined): Line[] {
  const reads = useQueries({ queries: opened.map((p) => entityQuery(p.collection, p.refId, asOf)) });
  const read = new Map(opened.map((p, i) => [p.refId, reads[i]!]));
  const top = read.get(root.refId);
  if (!top?.data) return [];

  const lines: Line[] = [];
  function put(collection: Collection, entity: Entity, level: number, at: number, of: number) {
    const branch = read.get(entity.refId);
    const owner = { collection, refId: entity.refId, externalId: entity.externalId };
    // What was read last of an entity is the branch itself; what its superior's read says may be older.
    const loading = branch?.isPending === true;
    const data = branch?.data;
    const below = data ? childrenOf(collection, data) : [];
    const others: Line['what'][] = data
      ? [
          ...(data.resources ?? []).map((resource) => ({ resource })),
          ...(data.balances ?? []).map((balance) => ({ balance })),
          ...restOf(data).map((rest) => ({ rest })),
        ]
      : branch?.isError
        ? [{ failed: true }]
        : [];
    const leaf = data !== undefined && below.length + others.length === 0;
    lines.push({ key: entity.refId, level, at, of, owner, what: { entity: data ?? entity, open: branch !== undefined, loading, leaf } });
    const total = below.length + others.length;
    const first = others.filter((o) => !('rest' in o));
    first.forEach((what, i) => {
      lines.push({ key: `${entity.refId} ${i}`, level: level + 1, at: i + 1, of: total, owner, what });
    });
    for (const [i, b] of below.entries()) put(b.collection, b.entity, level + 1, first.length + i + 1, total);
    others
      .filter((o) => 'rest' in o)
      .forEach((what, i, all) => {
        lines.push({ key: `${entity.refId} rest ${i}`, level: level + 1, at: total - all.length + i + 1, of: total, owner, what });
      });
  }
  put(root.collection, top.data as Entity, 1, 1, 1);
  return lines;
}
