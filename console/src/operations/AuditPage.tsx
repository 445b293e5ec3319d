import { Button, Group, NativeSelect, Table, Text, TextInput } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { Scroll } from '../parts/Scroll';
import { Value } from '../parts/Value';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { type AuditFilter, type AuditItem, outcomes, readAudit } from './audit';
import classes from './operations.module.css';

/** Denied and administrative acts, the newest first, page by page. */
export function AuditPage() {
  const t = useTexts(operations);
  const [filter, setFilter] = useState<AuditFilter>({});
  // The cursors of the pages that led here; the last is shown.
  const [path, setPath] = useState<(string | undefined)[]>([undefined]);
  const cursor = path[path.length - 1];
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['audit', filter, cursor],
    queryFn: ({ signal }) => readAudit(filter, cursor, signal),
    placeholderData: keepPreviousData,
  });
  const next = data?.nextCursor;
  return (
    <Page title={t.pages.audit}>
      <Text mb="sm">{t.auditWhy}</Text>
      <Filters
        onFilter={(given) => {
          setFilter(given);
          setPath([undefined]);
          void refetch();
        }}
      />
      <ProblemAlert problem={error ? asProblem(error) : undefined} retry={refetch} />
      {isPending && <Loading />}
      {data && !error && (data.items.length > 0 ? <Acts items={data.items} /> : <Text c="dimmed">{t.noActs}</Text>)}
      <Group mt="sm" gap="xs">
        <Button size="xs" variant="default" disabled={path.length === 1} onClick={() => setPath(path.slice(0, -1))}>
          {t.newer}
        </Button>
        <Button size="xs" variant="default" disabled={!next || !!error} onClick={() => setPath([...path, next])}>
          {t.older}
        </Button>
      </Group>
    </Page>
  );
}

/** A time as the field has it, in UTC. */
function instant(local: string): string | undefined {
  const d = new Date(local);
  return Number.isNaN(d.getTime()) ? undefined : d.toISOString();
}

function Filters({ onFilter }: { onFilter(filter: AuditFilter): void }) {
  const t = useTexts(operations);
  const [typed, setTyped] = useState({ actor: '', act: '', outcome: '', since: '', until: '' });
  const field = (name: keyof typeof typed) => ({
    size: 'xs',
    value: typed[name],
    onChange: (e: { currentTarget: { value: string } }) => setTyped({ ...typed, [name]: e.currentTarget.value }),
  });
  // Filled in, both have the same shape.
  const backwards = typed.since !== '' && typed.until !== '' && typed.until <= typed.since;
  const time = { type: 'datetime-local', min: '1970-01-01T00:00', max: '2199-12-31T23:59' };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (backwards) return;
        onFilter({
          actor: typed.actor.trim() || undefined,
          act: typed.act.trim() || undefined,
          outcome: typed.outcome || undefined,
          since: instant(typed.since),
          until: instant(typed.until),
        });
      }}
    >
      <Group gap="sm" align="flex-end" mb="sm">
        <TextInput label={t.actor} w={150} placeholder="user:ann" {...field('actor')} />
        <TextInput label={t.act} w={150} placeholder="key.create" {...field('act')} />
        <NativeSelect
          label={t.outcome}
          data={[{ value: '', label: t.allOutcomes }, ...outcomes.map((value) => ({ value, label: t.outcomes[value] }))]}
          {...field('outcome')}
        />
        <TextInput label={t.since} {...time} {...field('since')} />
        <TextInput label={t.until} {...time} {...field('until')} error={backwards && t.untilBefore} />
        <Button size="xs" type="submit">
          {t.show}
        </Button>
      </Group>
    </form>
  );
}

function Acts({ items }: { items: AuditItem[] }) {
  const t = useTexts(operations);
  return (
    <Scroll label={t.pages.audit} minWidth={760}>
      <Table fz="sm" verticalSpacing={6} className={classes.acts} aria-label={t.pages.audit}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.time}</Table.Th>
            <Table.Th>{t.actor}</Table.Th>
            <Table.Th>{t.act}</Table.Th>
            <Table.Th>{t.outcome}</Table.Th>
            <Table.Th className={classes.nowrap}>{t.remote}</Table.Th>
            <Table.Th>{t.detailsOf}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => (
            <Table.Tr key={item.id}>
              <Table.Td className={classes.nowrap}>
                <When at={item.at} />
              </Table.Td>
              <Table.Td>
                {item.actor ? (
                  <bdi>{item.actor}</bdi>
                ) : (
                  <Text span inherit c="dimmed">
                    {t.nobody}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                <bdi>{item.act}</bdi>
                {item.count > 1 && ` × ${item.count}`}
              </Table.Td>
              <Table.Td>{t.outcomes[item.outcome] ?? item.outcome}</Table.Td>
              <Table.Td>
                <bdi>{item.remote}</bdi>
              </Table.Td>
              <Table.Td>
                <Details of={item.details} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

function Details({ of }: { of: AuditItem['details'] }) {
  return (
    <dl className={classes.details}>
      {Object.entries(of).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Value value={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
