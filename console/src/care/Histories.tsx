import { Table, Text } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { Scroll } from '../parts/Scroll';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import classes from './care.module.css';
import { Section } from './Details';
import { type Collection, histories, readPath, type TimeLineEntry } from './entities';
import { Coded, ReferenceLink, StateBadge } from './parts';

function historiesQuery(collection: Collection, refId: string, asOf?: string) {
  const flags = Object.fromEntries(histories[collection].map((name) => [name, true]));
  return queryOptions({
    queryKey: [collection, 'histories', refId, asOf ?? 'now'],
    queryFn: async ({ signal }) =>
      (await api.GET(readPath(collection), { params: { query: { refId, asOf, ...flags } }, signal })).data as unknown as Record<
        string,
        TimeLineEntry[] | undefined
      >,
  });
}

/** State, segment, bill cycle and parent: since when each held, and when that was recorded. */
export function Histories({ collection, refId, asOf }: { collection: Collection; refId: string; asOf?: string }) {
  const t = useTexts(care);
  const { data, error, refetch } = useQuery(historiesQuery(collection, refId, asOf));
  if (error) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return histories[collection].map((name) => (
    <Section key={name} title={t[name as 'stateHistory']}>
      <HistoryTable name={name} entries={data[name] ?? []} />
    </Section>
  ));
}

function HistoryTable({ name, entries }: { name: string; entries: TimeLineEntry[] }) {
  const t = useTexts(care);
  if (entries.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.noHistory}
      </Text>
    );
  return (
    <Scroll label={t[name as 'stateHistory']}>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t.value}</Table.Th>
            <Table.Th scope="col">{t.from}</Table.Th>
            <Table.Th scope="col">{t.to}</Table.Th>
            <Table.Th scope="col">{t.recorded}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((e, i) => (
            <Table.Tr key={i} className={e.overtaken || e.validTo ? classes.over : undefined}>
              <Table.Td>
                <Held name={name} entry={e} /> {e.overtaken && <span className={classes.dimmed}>({t.overtaken})</span>}
              </Table.Td>
              <Table.Td>
                <When at={e.validFrom} />
              </Table.Td>
              <Table.Td>{e.validTo ? <When at={e.validTo} /> : !e.overtaken && t.still}</Table.Td>
              <Table.Td>
                <When at={e.recordedAt} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

function Held({ name, entry: e }: { name: string; entry: TimeLineEntry }) {
  const t = useTexts(care);
  switch (name) {
    case 'stateHistory':
      return (
        <>
          <StateBadge state={e.state ?? ''} /> <Coded collection="state-reasons" code={e.stateReason ?? ''} />
        </>
      );
    case 'billCycleHistory':
      return (
        <>
          <Coded collection="bill-cycles" code={e.billCycle ?? ''} />{' '}
          {[e.billingDay, e.billingMonth, e.billingYear].filter(Boolean).join(' / ')}
        </>
      );
    case 'parentHistory':
      return e.parent ? <ReferenceLink collection="accounts" reference={e.parent} /> : t.top;
  }
  const [collection, code] = e.customerSegment
    ? (['customer-segments', e.customerSegment] as const)
    : e.accountSegment
      ? (['account-segments', e.accountSegment] as const)
      : (['subscriber-segments', e.subscriberSegment] as const);
  return code ? <Coded collection={collection} code={code} /> : t.none;
}
