import { Alert, Anchor, Button, Group, Text, TextInput } from '@mantine/core';
import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useId, useRef, useState } from 'react';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import { attributeOf, type Filters } from './address';
import classes from './care.module.css';
import { type Entity, entityQuery } from './entities';
import { distinct, type Found, findQuery } from './find';
import { Hit } from './Hit';
import { NewCustomer } from './operate';
import { recents } from './recent';

/** Finds customers and all below by anything that one may know of them. */
export function SearchPage() {
  const t = useTexts(care);
  const { q = '' } = useSearch({ strict: false }) as { q?: string };
  const navigate = useNavigate();
  const client = useQueryClient();
  const [text, setText] = useState(q);
  const results = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLInputElement>(null);
  const [opening, setOpening] = useState('');
  const wanted = text.trim();

  useEffect(() => box.current?.focus(), []);
  const sent = useRef(q);
  const ask = useCallback(
    (q: string) => {
      sent.current = q;
      void navigate({ to: '/care/search', search: { q: q || undefined }, replace: true });
    },
    [navigate],
  );
  // Back and forward bring the text of their time; what was sent from here may have been typed on since.
  useEffect(() => {
    if (q !== sent.current) setText(q);
    sent.current = q;
  }, [q]);
  // What is typed becomes the address, and so the search, when the hand rests.
  useEffect(() => {
    if (wanted === q) return;
    const timer = setTimeout(() => ask(wanted), 250);
    return () => clearTimeout(timer);
  }, [wanted, q, ask]);

  /** Opens the only hit; of several the first gets the focus. */
  async function enter() {
    if (!wanted) return;
    if (wanted !== q) ask(wanted);
    try {
      const hits = distinct(await client.fetchQuery(findQuery(wanted)));
      if (hits.length === 1) void navigate({ to: `/care/${hits[0]!.collection}/${hits[0]!.entity.refId}` });
      else setOpening(wanted);
    } catch {
      // The page says what is wrong: it shows the same query.
    }
  }
  useEffect(() => {
    if (!opening || opening !== q) return;
    results.current?.querySelector<HTMLElement>('li a')?.focus();
    setOpening('');
  }, [opening, q]);

  return (
    <Page title={t.searchPage} actions={<NewCustomer onCreated={(c) => void navigate({ to: `/care/customers/${c.refId}` })} />}>
      <search>
        <TextInput
          label={t.search}
          description={t.searchHow}
          inputWrapperOrder={['label', 'input', 'description']}
          type="search"
          size="md"
          dir="auto"
          ref={box}
          autoComplete="off"
          spellCheck={false}
          maxLength={255}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === 'Enter') void enter();
          }}
          maw={720}
          mb="lg"
        />
      </search>
      <div ref={results}>{q ? <Results text={q} /> : <RecentList />}</div>
    </Page>
  );
}

function Results({ text }: { text: string }) {
  const t = useTexts(care);
  const { data, error, refetch } = useQuery(findQuery(text));
  if (error) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data)
    return (
      <Text role="status" c="dimmed">
        {t.searching}
      </Text>
    );
  const n = distinct(data).length;
  return (
    <>
      {data.partly && (
        <Alert color="yellow" mb="md" role="alert">
          <Group justify="space-between">
            {t.partly}
            <Button size="xs" variant="default" onClick={() => void refetch()}>
              {t.searchPage}
            </Button>
          </Group>
        </Alert>
      )}
      <Text role="status" size="sm" c="dimmed" mb="sm">
        {n ? t.found(n) : `${t.foundNothing} ${t.foundNothingHow}`}
      </Text>
      {data.found.map((found) => (
        <FoundGroup key={`${found.by} ${found.detail ?? ''}`} found={found} text={text} />
      ))}
    </>
  );
}

function FoundGroup({ found, text }: { found: Found; text: string }) {
  const t = useTexts(care);
  const id = useId();
  return (
    <section aria-labelledby={id} className={classes.found}>
      <h2 id={id} className={classes.caption}>
        {t.by[found.by]}
        {found.detail && (
          <>
            {': '}
            <bdi>{found.detail}</bdi>
          </>
        )}
      </h2>
      <ul className={classes.hits}>
        {found.hits.flatMap((h) => h.entities.map((e) => <Hit key={e.refId} collection={h.collection} entity={e} />))}
      </ul>
      {found.hits
        .filter((h) => h.more)
        .map((h) => (
          <Anchor key={h.collection} component={Link} to={`/care/${h.collection}`} search={whole(found, text) as never} size="sm" mr="md">
            {t.allHits(t.many[h.collection])}
          </Anchor>
        ))}
    </section>
  );
}

/** The list that has all of what was found. */
function whole(found: Found, text: string): Partial<Filters> {
  switch (found.by) {
    case 'externalId':
      return { externalId: text };
    case 'customName':
      return { customName: text };
    case 'attribute':
      return { attribute: attributeOf(text) ? text : `${found.detail}=${text}` };
  }
  return {};
}

function RecentList() {
  const t = useTexts(care);
  const list = recents();
  const reads = useQueries({ queries: list.map((r) => entityQuery(r.collection, r.refId)) });
  const loading = reads.some((r) => r.isPending);
  return (
    <section aria-labelledby="recent">
      <h2 id="recent" className={classes.caption}>
        {t.recent}
      </h2>
      {list.length === 0 && (
        <Text size="sm" c="dimmed">
          {t.noRecent}
        </Text>
      )}
      {loading && <Loading />}
      <ul className={classes.hits}>
        {reads.map(({ data }, i) => data && <Hit key={data.refId} collection={list[i]!.collection} entity={data as Entity} />)}
      </ul>
    </section>
  );
}
