import { Button, Group, SegmentedControl, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import type { PageSearch } from './address';
import classes from './care.module.css';
import { Event } from './Event';
import type { Collection } from './entities';
import { feedQuery, type Happened, historyQuery, transactionsOf } from './happened';

interface Props {
  collection: Collection;
  refId: string;
  customer?: string;
  asOf?: string;
}

/** What happened, newest first: to this entity, or to the whole customer. */
export function TimeLine({ collection, refId, customer, asOf }: Props) {
  const t = useTexts(care);
  const search = useSearch({ strict: false }) as PageSearch;
  const navigate = useNavigate();
  const whole = search.whole === true;
  return (
    <>
      <SegmentedControl
        size="xs"
        mb="sm"
        aria-label={t.scope}
        value={whole ? 'whole' : 'only'}
        onChange={(to) => void navigate({ to: '.', search: { ...search, whole: to === 'whole' || undefined } as never, replace: true })}
        data={[
          { value: 'only', label: t.only },
          { value: 'whole', label: t.whole },
        ]}
      />
      {!whole ? (
        <OfEntity collection={collection} refId={refId} asOf={asOf} />
      ) : customer ? (
        <OfCustomer key={customer} customer={customer} asOf={asOf} />
      ) : (
        <Loading />
      )}
    </>
  );
}

const until = (asOf: string | undefined) => (e: Happened) => !asOf || Date.parse(e.timestamp) <= Date.parse(asOf);

function OfEntity({ collection, refId, asOf }: { collection: Collection; refId: string; asOf?: string }) {
  const t = useTexts(care);
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(historyQuery(collection, refId));
  if (error && !data) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const events = data.pages.flatMap((p) => p.items).filter(until(asOf));
  return (
    <>
      <Events events={events} alone />
      {error && <ProblemAlert problem={asProblem(error)} retry={() => void fetchNextPage()} />}
      {hasNextPage && (
        <Button variant="default" size="xs" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t.more}
        </Button>
      )}
    </>
  );
}

const step = 50;

function OfCustomer({ customer, asOf }: { customer: string; asOf?: string }) {
  const t = useTexts(care);
  const [read, setRead] = useState(0);
  const [shown, setShown] = useState(step);
  const { data, error, refetch, isFetching } = useQuery(feedQuery(customer, setRead));
  const events = useMemo(() => transactionsOf(data?.messages ?? []).filter(until(asOf)), [data, asOf]);
  if (error && !data) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  return (
    <>
      {!data && (
        <Text size="sm" c="dimmed" role="status">
          {t.reading(read)}
        </Text>
      )}
      {error && <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />}
      {data && !data.whole && (
        <Group mb="sm" gap="xs" role="status">
          <Text size="sm">{isFetching ? t.reading(read) : t.stopped(data.messages.length)}</Text>
          <Button variant="default" size="xs" loading={isFetching} onClick={() => void refetch()}>
            {t.goOn}
          </Button>
        </Group>
      )}
      {data && <Events events={events.slice(0, shown)} />}
      {events.length > shown && (
        <Button variant="default" size="xs" onClick={() => setShown((n) => n + step)}>
          {t.more}
        </Button>
      )}
    </>
  );
}

function Events({ events, alone = false }: { events: Happened[]; alone?: boolean }) {
  const t = useTexts(care);
  if (events.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.nothingHappened}
      </Text>
    );
  return (
    <ol className={classes.events} aria-label={t.timeLine}>
      {events.map((e) => (
        <Event key={`${e.transactionId} ${e.touched[0]?.version}`} event={e} alone={alone} />
      ))}
    </ol>
  );
}
