import { Alert, Anchor, Button, Checkbox, Group, MultiSelect, NativeSelect, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';
import { asProblem } from '../api/problem';
import { itemsQuery } from '../form/pickers';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import { attributeOf, type Filters } from './address';
import classes from './care.module.css';
import { type Collection, collections, type Entity, entityQuery, isTest, kinds, nameOf } from './entities';
import { listQuery } from './lists';
import { NewCustomer } from './operate';
import { EntityLink, StateBadge, TestBadge, useNames } from './parts';
import { Rows } from './Rows';

const states = ['INACTIVE', 'ACTIVE', 'SUSPENDED', 'DEACTIVATED'];

/** All entities of a kind, filtered; the filters are in the address. */
export function ListPage() {
  const { collection } = useParams({ strict: false }) as { collection: Collection };
  const t = useTexts(care);
  const filters = useSearch({ strict: false }) as Filters;
  const navigate = useNavigate();
  return (
    <Page
      title={t.many[collection]}
      actions={collection === 'customers' && <NewCustomer onCreated={(c) => void navigate({ to: `/care/customers/${c.refId}` })} />}
    >
      <FilterBar key={collection} collection={collection} filters={filters} />
      <List collection={collection} filters={filters} />
    </Page>
  );
}

function List({ collection, filters }: { collection: Collection; filters: Filters }) {
  const t = useTexts(care);
  const offers = useNames('offers');
  const segments = useNames(`${kinds[collection]}-segments`);
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = useInfiniteQuery(
    listQuery(collection, filters),
  );
  const items = useMemo(() => data?.pages.flatMap((p) => p.items) ?? [], [data]);
  if (error && !isFetchNextPageError) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const offered = collection === 'subscriptions';
  const row = (e: Entity) => {
    const name = nameOf(e, offers);
    return (
      <>
        <td className={classes.wideCell} title={name}>
          <EntityLink collection={collection} refId={e.refId}>
            <bdi>{name}</bdi>
          </EntityLink>
          {isTest(e) && <TestBadge />}
        </td>
        <td title={e.externalId}>
          <bdi>{e.externalId}</bdi>
        </td>
        <td>
          <StateBadge state={e.state.state} />
        </td>
        <td className={classes.roomy}>
          <bdi>{offered ? (offers?.get(e.offer ?? '') ?? e.offer) : segmentName(e, segments)}</bdi>
        </td>
        <td className={classes.roomy}>
          <When at={e.updatedAt} />
        </td>
      </>
    );
  };
  return (
    <>
      <Text role="status" size="sm" c="dimmed" mb={4}>
        {items.length === 0 && !hasNextPage ? t.noHits : t.loaded(items.length, !hasNextPage)}
      </Text>
      {error && <ProblemAlert problem={asProblem(error)} retry={() => void fetchNextPage()} />}
      <Rows
        label={t.many[collection]}
        items={items}
        open={hasNextPage && !error}
        loading={isFetchingNextPage}
        more={() => void fetchNextPage()}
        columns={5}
        head={
          <tr>
            <th scope="col">{t.columns.name}</th>
            <th scope="col">{t.columns.externalId}</th>
            <th scope="col" className={classes.stateCell}>
              {t.columns.state}
            </th>
            <th scope="col" className={classes.roomy}>
              {offered ? t.columns.offer : t.columns.segment}
            </th>
            <th scope="col" className={classes.roomy}>
              {t.columns.updated}
            </th>
          </tr>
        }
        row={row}
      />
    </>
  );
}

function segmentName(e: Entity, names: Map<string, string> | undefined): string | undefined {
  const code = segmentOf(e);
  return code && (names?.get(code) ?? code);
}

function segmentOf(e: Entity): string | undefined {
  const { customerSegment, accountSegment, subscriberSegment } = e as unknown as Record<string, string | undefined>;
  return customerSegment ?? accountSegment ?? subscriberSegment;
}

function FilterBar({ collection, filters }: { collection: Collection; filters: Filters }) {
  const t = useTexts(care);
  const navigate = useNavigate();
  const change = (part: Partial<Filters>) =>
    void navigate({ to: `/care/${collection}`, search: (now: Filters) => ({ ...now, ...part }) as never, replace: true });
  const coded = collection === 'subscriptions' ? 'offers' : `${kinds[collection]}-segments`;
  const member = collection === 'subscriptions' ? 'offer' : 'segment';
  const { data: codes } = useQuery({ ...itemsQuery(coded), staleTime: 60_000 });
  const any = Object.values(filters).some((v) => v !== undefined);
  const wide = useMediaQuery('(min-width: 48em)', true, { getInitialValueInEffect: false });
  const fields = (
    <search aria-label={t.filters} className={classes.filters}>
      <Typed label={t.name} value={filters.customName} onChange={(customName) => change({ customName })} />
      <Typed label={t.externalId} value={filters.externalId} onChange={(externalId) => change({ externalId })} />
      <MultiSelect
        label={t.state}
        size="xs"
        data={states.map((value) => ({ value, label: t.states[value]! }))}
        value={filters.state ?? []}
        onChange={(state) => change({ state: state.length ? state : undefined })}
        clearable
      />
      <MultiSelect
        label={member === 'offer' ? t.offer : t.segment}
        size="xs"
        searchable
        clearable
        limit={100}
        data={(codes ?? []).map((c) => ({ value: c.code, label: c.name }))}
        value={filters[member] ?? []}
        onChange={(list) => change({ [member]: list.length ? list : undefined })}
      />
      <Typed
        label={t.attribute}
        value={filters.attribute}
        onChange={(attribute) => change({ attribute })}
        wrong={(text) => (attributeOf(text) ? undefined : t.attributeShape)}
      />
      <NativeSelect
        label={t.test}
        size="xs"
        value={filters.test === undefined ? '' : String(filters.test)}
        onChange={(e) => change({ test: e.currentTarget.value === '' ? undefined : e.currentTarget.value === 'true' })}
        data={[
          { value: '', label: t.testAll },
          { value: 'true', label: t.testOnly },
          { value: 'false', label: t.testNone },
        ]}
      />
      <Checkbox
        label={t.planned}
        size="xs"
        checked={filters.planned === true}
        onChange={(e) => change({ planned: e.currentTarget.checked || undefined })}
        className={classes.atBottom}
      />
      {any && (
        <Button size="xs" variant="default" className={classes.atBottom} component={Link} to={`/care/${collection}`}>
          {t.clearFilters}
        </Button>
      )}
      {collections.slice(0, 3).map((c) => {
        const refId = filters[kinds[c] as 'customer'];
        return refId && <Below key={c} collection={c} refId={refId} />;
      })}
    </search>
  );
  if (wide) return fields;
  return (
    <details className={classes.folded}>
      <summary>
        {t.filters}
        {any && ' ●'}
      </summary>
      {fields}
    </details>
  );
}

/** Says below whom the list is. */
function Below({ collection, refId }: { collection: Collection; refId: string }) {
  const t = useTexts(care);
  const { data } = useQuery(entityQuery(collection, refId));
  return (
    <Alert p={6} className={classes.wholeRow}>
      <Group gap="xs">
        <Anchor component={Link} to={`/care/${collection}/${refId}`} size="sm">
          {t.below(`\u2068${data ? nameOf(data) : refId}\u2069`)}
        </Anchor>
      </Group>
    </Alert>
  );
}

interface TypedProps {
  label: string;
  value: string | undefined;
  onChange(value: string | undefined): void;
  wrong?(text: string): string | undefined;
}

/** A filter that is typed; it takes effect when the hand rests. */
function Typed({ label, value = '', onChange, wrong }: TypedProps) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  // What comes from elsewhere (back, a cleared filter) is shown; what was sent from here may have been typed on since.
  useEffect(() => {
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  const bad = text && wrong?.(text);
  // only what is typed starts the clock
  useEffect(() => {
    if (text === value || bad) return;
    const timer = setTimeout(() => {
      sent.current = text;
      onChange(text || undefined);
    }, 300);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <TextInput
      label={label}
      size="xs"
      dir="auto"
      autoComplete="off"
      spellCheck={false}
      maxLength={400}
      value={text}
      error={bad}
      onChange={(e) => setText(e.currentTarget.value)}
    />
  );
}
