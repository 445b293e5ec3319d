import { Alert, Checkbox, Group, NativeSelect, Progress, SimpleGrid, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useLanguage, useTexts } from '../texts';
import { operations } from '../texts/operations';
import { Bars, Columns, daysUpTo } from './charts';
import classes from './operations.module.css';
import { Reconciliation } from './Reconciliation';
import { Scroll } from '../parts/Scroll';
import { amount, type Balance, warehouseMetrics } from './warehouse';

/** What there is and what happened, as the warehouse counts it. */
export function WarehousePage() {
  const t = useTexts(operations);
  const [test, setTest] = useState(false);
  const { data, error, isPending, refetch } = useQuery(warehouseMetrics(test));
  return (
    <Page
      title={t.pages.warehouse}
      actions={data && <Checkbox size="xs" label={t.withTest} checked={test} onChange={(e) => setTest(e.currentTarget.checked)} />}
    >
      <ProblemAlert problem={error ? asProblem(error) : undefined} retry={refetch} />
      {isPending && <Loading />}
      {data === null && (
        <Alert title={t.noWarehouse} role="status">
          {t.noWarehouseHow}
        </Alert>
      )}
      {data && (
        <>
          <Lag lag={data.lag} />
          <PerDay perDay={data.perDay} />
          <SimpleGrid cols={{ base: 1, md: 2 }} my="md">
            <Bars title={t.customersByState} counts={data.customersByState} />
            <Bars title={t.subscriptionsByOffer} counts={data.subscriptionsByOffer} />
            <Bars title={t.subscribersByState} counts={data.subscribersByState} />
            <Bars title={t.subscriptionsByState} counts={data.subscriptionsByState} />
            <Bars title={t.accountsByState} counts={data.accountsByState} />
            <Bars title={t.customersBySegment} counts={data.customersBySegment} label={(name) => name || t.noSegment} />
          </SimpleGrid>
          <Balances balances={data.balances} />
          <Reconciliation />
        </>
      )}
    </Page>
  );
}

function Lag({ lag }: { lag: { messages: number; seconds: number } }) {
  const t = useTexts(operations);
  const { language } = useLanguage();
  return (
    <Text size="sm" mb="md">
      {t.lag}:{' '}
      {lag.messages === 0
        ? t.noLag
        : t.lagText(lag.messages.toLocaleString(language), lag.seconds.toLocaleString(language, { maximumFractionDigits: 1 }))}
    </Text>
  );
}

type Happened = 'activated' | 'created' | 'suspended' | 'deactivated';

function PerDay({ perDay }: { perDay: ({ date: string; type: string } & Record<Happened, number>)[] }) {
  const t = useTexts(operations);
  const [type, setType] = useState('Subscriber');
  const [what, setWhat] = useState<Happened>('activated');
  const [length, setLength] = useState('30');
  const counts = new Map(perDay.filter((d) => d.type === type).map((d) => [d.date, d[what]]));
  // The days are the server's: the last one that it tells of, else ours.
  const today = new Date().toISOString().slice(0, 10);
  const last = [today, ...perDay.map((d) => d.date)].sort().at(-1)!;
  return (
    <section className={classes.card} aria-label={t.perDay}>
      <Group gap="sm" mb="xs">
        <NativeSelect
          size="xs"
          label={t.type}
          value={type}
          onChange={(e) => setType(e.currentTarget.value)}
          data={Object.entries(t.types).map(([value, label]) => ({ value, label }))}
        />
        <NativeSelect
          size="xs"
          label={t.what}
          value={what}
          onChange={(e) => setWhat(e.currentTarget.value as Happened)}
          data={Object.entries(t.happened).map(([value, label]) => ({ value, label }))}
        />
        <NativeSelect
          size="xs"
          label={t.period}
          value={length}
          onChange={(e) => setLength(e.currentTarget.value)}
          data={[30, 90, 365].map((n) => ({ value: String(n), label: t.days(n) }))}
        />
      </Group>
      <Columns label={`${t.types[type]}, ${t.happened[what]}, ${t.days(Number(length))}`} days={daysUpTo(last, Number(length), counts)} />
    </section>
  );
}

function Balances({ balances }: { balances: Balance[] }) {
  const t = useTexts(operations);
  const { language } = useLanguage();
  return (
    <section className={classes.card} aria-label={t.balances}>
      <h2>{t.balances}</h2>
      {balances.length === 0 && (
        <Text c="dimmed" size="sm">
          {t.nothing}
        </Text>
      )}
      {balances.length > 0 && (
        <Scroll label={t.balances} minWidth={520}>
          <Table fz="sm" aria-label={t.balances}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.service}</Table.Th>
                <Table.Th>{t.unit}</Table.Th>
                <Table.Th ta="end">{t.count}</Table.Th>
                <Table.Th ta="end">{t.granted}</Table.Th>
                <Table.Th ta="end">{t.left}</Table.Th>
                <Table.Th>{t.share}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {balances.map((b) => {
                const share = b.granted > 0 ? (b.actual / b.granted) * 100 : 0;
                const percent = `${share.toLocaleString(language, { maximumFractionDigits: 1 })} %`;
                return (
                  <Table.Tr key={`${b.service} ${b.unitOfMeasure ?? b.currency}`}>
                    <Table.Th scope="row" fw={400}>
                      <bdi>{b.service}</bdi>
                    </Table.Th>
                    <Table.Td>{b.unitOfMeasure ?? b.currency}</Table.Td>
                    <Table.Td ta="end">{b.count.toLocaleString(language)}</Table.Td>
                    <Table.Td ta="end">{amount(b, b.granted, language)}</Table.Td>
                    <Table.Td ta="end">{amount(b, b.actual, language)}</Table.Td>
                    <Table.Td>
                      <Group gap="xs" wrap="nowrap">
                        <Progress value={Math.min(share, 100)} w={90} color="#0072b2" aria-hidden="true" />
                        <span className={classes.nowrap}>{percent}</span>
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Scroll>
      )}
    </section>
  );
}
