import { Badge, Group, Progress, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { formatDecimal } from '../../form/decimal';
import { Loading } from '../../parts/Loading';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { When } from '../../parts/When';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { amountOf } from './amounts';
import { OperationButton } from './OperationDialog';
import classes from './operate.module.css';
import type { Entity, Values } from './operations';
import { balancesQuery } from './queries';

type Balance = Schemas['Balance'];

/** The share used in millionths, from 0 to the whole. */
function shareUsed({ grantedBalance: granted, actualBalance: actual }: Balance): number {
  if (granted <= 0 || actual >= granted) return 0;
  // Both are below 2^53; their product with a million is not.
  return Number((BigInt(granted - actual) * 1_000_000n) / BigInt(granted));
}

/** The thresholds of the service that granted a balance, in millionths. */
function thresholdsOf({ services }: Entity, service: string): number[] {
  const attributes = (services?.find((s) => s.service === service)?.attributes ?? {}) as Values;
  return ['threshold1', 'threshold2', 'threshold3']
    .flatMap((n) => (typeof attributes[n] === 'number' ? [attributes[n]] : []))
    .sort((a, b) => a - b);
}

/** The balances of a subscription as bars, with what can be done to them. */
export function Balances({ subscription }: { subscription: Entity }) {
  const t = useTexts(operate);
  const { data, error, refetch } = useQuery(balancesQuery(subscription.refId));
  if (error) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.noBalances}
      </Text>
    );
  const writable = subscription.state.state !== 'DEACTIVATED';
  return (
    <>
      <ul className={classes.balances}>
        {data.map((b) => (
          <One key={b.refId} balance={b} subscription={subscription} writable={writable} />
        ))}
      </ul>
      {writable && data.length > 1 && (
        <Group mt="sm">
          <OperationButton path="/balances/update" kind="subscription" entity={subscription} />
        </Group>
      )}
    </>
  );
}

function One({ balance, subscription, writable }: { balance: Balance; subscription: Entity; writable: boolean }) {
  const t = useTexts(operate);
  const used = shareUsed(balance);
  const thresholds = thresholdsOf(subscription, balance.service);
  const crossed = thresholds.filter((n) => used >= n);
  const expired = balance.validTo !== undefined && Date.parse(balance.validTo) <= Date.now();
  const percent = formatDecimal(Math.floor(used / 1000) * 1000, 4);
  const state = t.usedShare(percent, crossed.length ? formatDecimal(crossed[crossed.length - 1]!, 4) : undefined);
  return (
    <li className={classes.balance}>
      <Group justify="space-between" gap="xs">
        <Text fw={600} component="bdi">
          {balance.service}
        </Text>
        {expired && <Badge color="gray">{t.expired}</Badge>}
      </Group>
      <Text size="sm" title={String(balance.actualBalance)}>
        {t.left(amountOf(balance, balance.actualBalance), amountOf(balance, balance.grantedBalance))}
      </Text>
      <div className={classes.bar}>
        <Progress.Root size="md">
          <Progress.Section
            value={used / 10_000}
            color={expired ? 'gray' : crossed.length === 0 ? 'blue' : used >= 1_000_000 ? 'red' : 'orange'}
            aria-label={`${balance.service}: ${state}`}
          />
        </Progress.Root>
        {thresholds.map((n) => (
          <span key={n} className={classes.tick} style={{ insetInlineStart: `${Math.min(n / 10_000, 99.5)}%` }} aria-hidden />
        ))}
      </div>
      <Text size="xs" c="dimmed">
        {state}
        {thresholds.length > 0 && ` · ${t.thresholds(thresholds.map((n) => formatDecimal(n, 4)).join(', '))}`}
      </Text>
      <Text size="xs" c="dimmed" mb="xs">
        <When at={balance.validFrom} /> – {balance.validTo ? <When at={balance.validTo} /> : t.noEnd}
      </Text>
      {writable && (
        <Group gap="xs">
          {(['ADD', 'DEDUCT', 'SET'] as const).map((action) => (
            <OperationButton
              key={action}
              path="/balance/update"
              kind="subscription"
              entity={subscription}
              preset={{ service: balance.service, action }}
              aria-label={`${t.balanceActions[action]}: ${balance.service}`}
            >
              {t.balanceActions[action]}
            </OperationButton>
          ))}
        </Group>
      )}
    </li>
  );
}
