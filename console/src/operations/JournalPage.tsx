import { Button, Group, Text, TextInput } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { Filters } from './Filters';
import { behind, type Filter, readFeed } from './feed';
import { MessageTable } from './MessageTable';

const pageSize = 50;

/** The journal page by page, from any position. */
export function JournalPage() {
  const t = useTexts(operations);
  const [filter, setFilter] = useState<Filter>({});
  const [typed, setTyped] = useState('0');
  // The positions behind which the pages begin that led here; the last is shown.
  const [path, setPath] = useState(['0']);
  const after = path[path.length - 1]!;
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['journal', filter, after],
    queryFn: ({ signal }) => readFeed(after, pageSize, filter, signal),
    placeholderData: keepPreviousData,
  });
  const items = data?.items ?? [];
  const last = items[items.length - 1]?.position;
  const go = (to: string) => {
    setPath([to]);
    setTyped(to);
  };
  return (
    <Page title={t.pages.browse}>
      <Text mb="sm">{t.browseWhy}</Text>
      <Filters filter={filter} onChange={setFilter} />
      <form
        onSubmit={(e) => {
          e.preventDefault();
          go(typed.trim() || '0');
          void refetch();
        }}
      >
        <Group gap="sm" align="flex-end" mb="sm">
          <TextInput label={t.from} size="xs" placeholder={t.fromHint} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
          <Button size="xs" type="submit">
            {t.show}
          </Button>
          <Button
            size="xs"
            variant="default"
            onClick={() =>
              void readFeed('0', 1).then(
                ({ head }) => go(behind(head - pageSize)),
                () => refetch(),
              )
            }
          >
            {t.newest}
          </Button>
        </Group>
      </form>
      <ProblemAlert problem={error ? asProblem(error) : undefined} retry={refetch} />
      {isPending && <Loading />}
      {data && !error && items.length === 0 && <Text c="dimmed">{t.noneHere}</Text>}
      {!error && items.length > 0 && <MessageTable items={items} label={t.pages.browse} />}
      <Group mt="sm" gap="xs">
        <Button
          size="xs"
          variant="default"
          disabled={after === '0'}
          onClick={() => (path.length > 1 ? setPath(path.slice(0, -1)) : go(behind(Number(after.split('-')[0]) - pageSize)))}
        >
          {t.older}
        </Button>
        <Button size="xs" variant="default" disabled={!last || items.length < pageSize} onClick={() => setPath([...path, last!])}>
          {t.newer}
        </Button>
      </Group>
    </Page>
  );
}
