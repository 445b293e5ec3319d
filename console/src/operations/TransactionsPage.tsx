import { Alert, Badge, Button, Group, Text, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { Filters } from './Filters';
import type { Connection, Filter } from './feed';
import { most, useLive } from './live';
import { MessageTable } from './MessageTable';

/** Business transactions as they happen, the newest first. */
export function TransactionsPage() {
  const t = useTexts(operations);
  const [filter, setFilter] = useState<Filter>({});
  const [operation, setOperation] = useState('');
  const { items, paused, waiting, connection, pause, retry } = useLive(filter);
  const wanted = operation.trim().toLowerCase();
  const shown = items.filter((i) => i.operation.toLowerCase().includes(wanted)).reverse();
  const filtered = wanted !== '' || filter.customer !== undefined || filter.messageCode !== undefined;
  return (
    <Page
      title={t.pages.transactions}
      actions={
        <>
          <Badge
            variant="light"
            color={connection.state === 'live' ? 'teal' : 'gray'}
            autoContrast
            role="status"
            tt="none"
            c="var(--mantine-color-text)"
          >
            {connection.state === 'live' ? t.live : t.connecting}
          </Badge>
          <Button size="xs" variant={paused ? 'filled' : 'default'} onClick={() => pause(!paused)}>
            {paused ? t.goOn(waiting) : t.pause}
          </Button>
        </>
      }
    >
      <Filters filter={filter} onChange={setFilter}>
        <TextInput
          label={t.operation}
          size="xs"
          placeholder={t.operationHint}
          value={operation}
          onChange={(e) => setOperation(e.currentTarget.value)}
        />
      </Filters>
      <Away connection={connection} retry={retry} />
      {shown.length === 0 && connection.state === 'live' && <Text c="dimmed">{filtered ? t.noneOfFilter : t.noneYet}</Text>}
      {shown.length > 0 && (
        <>
          <MessageTable items={shown} label={t.pages.transactions} />
          <Text size="xs" c="dimmed" mt="xs">
            {t.kept(shown.length, most)}
          </Text>
        </>
      )}
    </Page>
  );
}

/** Says that the stream is away, and when it is tried again. */
function Away({ connection, retry }: { connection: Connection; retry(): void }) {
  const t = useTexts(operations);
  const away = connection.state === 'away' ? connection : undefined;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!away) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [away]);
  if (connection.state === 'refused') return <ProblemAlert problem={connection.problem} />;
  if (!away) return null;
  return (
    <Alert color="yellow" role="status" mb="sm" p="xs">
      <Group gap="sm">
        <Text size="sm">{t.away(Math.max(1, Math.ceil((away.retryAt - now) / 1_000)))}</Text>
        <Button size="compact-xs" variant="default" onClick={retry}>
          {t.retryNow}
        </Button>
      </Group>
    </Alert>
  );
}
