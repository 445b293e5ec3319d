import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { Differences } from './Differences';
import classes from './operate.module.css';
import type { Entity, Transaction, Values } from './operations';
import { balancesQuery } from './queries';

/** What a write would change: how much of what type, and the difference to now. */
export function DryRun({ transaction, entity }: { transaction: Transaction; entity?: Entity }) {
  const t = useTexts(operate);
  const { payload, impacted, impactedTotal } = transaction;
  const ofBalances = 'grantedBalance' in payload || transaction.operation === 'updateSubscriptionBalances';
  const { data: balances } = useQuery({ ...balancesQuery(entity?.refId ?? ''), enabled: ofBalances && entity !== undefined });
  if (impactedTotal === 0) return <Text fw={600}>{t.nothingWould}</Text>;

  const now =
    payload.refId === entity?.refId
      ? ({ ...entity, ...(ofBalances && balances ? { balances } : {}) } as unknown as Values)
      : (balances?.find((b) => b.refId === payload.refId) as Values | undefined);
  const types = [...new Set(impacted.map((i) => i.type))];
  return (
    <>
      <Text fw={600}>{t.would(impactedTotal)}</Text>
      <ul className={classes.impacted}>
        {types.map((type) => {
          const items = impacted.filter((i) => i.type === type);
          return (
            <li key={type}>
              {t.types[type as keyof typeof t.types]?.(items.length) ?? `${items.length} ${type}`}
              <Names items={items} />
            </li>
          );
        })}
      </ul>
      {impactedTotal > impacted.length && <Text size="sm">{t.andMore(impactedTotal - impacted.length)}</Text>}
      {(!ofBalances || balances) && <Differences now={now} then={payload} caption={now ? t.difference : t.becomes} />}
    </>
  );
}

/** The external ids of what a write changes; what has none is counted only. */
function Names({ items }: { items: Schemas['Impacted'][] }) {
  const named = items.filter((i) => i.externalId);
  if (named.length === 0) return null;
  return (
    <>
      {': '}
      {named.map((i, n) => (
        <span key={i.refId}>
          {n > 0 && ', '}
          <bdi>{i.externalId}</bdi>
        </span>
      ))}
    </>
  );
}
