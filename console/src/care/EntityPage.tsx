import { ActionIcon, Alert, Anchor, Button, CopyButton, Group, Tabs, Text, Title } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { type ReactNode, useEffect } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import { AsOf } from './AsOf';
import { type PageSearch, tabs } from './address';
import classes from './care.module.css';
import { Details } from './Details';
import { type Collection, type Entity, entityQuery, isTest, kinds, nameOf, type Place, pathQuery } from './entities';
import { Histories } from './Histories';
import { OperationsMenu } from './operate';
import { Coded, StateBadge, TestBadge, useNames } from './parts';
import { remember } from './recent';
import { TimeLine } from './TimeLine';
import { Tree } from './Tree';

/** An entity beside the tree of its customer, now or as it was. */
export function EntityPage() {
  const { collection, refId } = useParams({ strict: false }) as { collection: Collection; refId: string };
  const { asOf } = useSearch({ strict: false }) as PageSearch;
  const client = useQueryClient();
  const entity = useQuery(entityQuery(collection, refId, asOf));
  // While another place is looked up, the tree stays as it is.
  const path = useQuery({ ...pathQuery(client, collection, refId, asOf), enabled: entity.isSuccess, placeholderData: (last) => last });
  const found = entity.data?.refId;
  useEffect(() => {
    if (found && !asOf) remember({ collection, refId: found });
  }, [collection, found, asOf]);
  return (
    <>
      {asOf && <Past asOf={asOf} />}
      <div className={classes.page}>
        <Aside>{path.data && <Tree path={path.data} asOf={asOf} />}</Aside>
        <div className={classes.main}>
          {entity.error ? (
            <Missing problem={asProblem(entity.error)} past={asOf !== undefined} retry={() => void entity.refetch()} />
          ) : entity.data ? (
            <Shown key={refId} collection={collection} entity={entity.data} path={path.isPlaceholderData ? undefined : path.data} />
          ) : (
            <Loading />
          )}
        </div>
      </div>
    </>
  );
}

/** Beside the entity where there is room, else folded above it. */
function Aside({ children }: { children: ReactNode }) {
  const t = useTexts(care);
  const wide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false });
  if (wide) return <aside className={classes.aside}>{children}</aside>;
  return (
    <details className={classes.folded}>
      <summary>{t.showTree}</summary>
      {children}
    </details>
  );
}

function Shown({ collection, entity, path }: { collection: Collection; entity: Entity; path: Place[] | undefined }) {
  const t = useTexts(care);
  const search = useSearch({ strict: false }) as PageSearch;
  const navigate = useNavigate();
  const offers = useNames('offers');
  const { asOf, tab = 'details' } = search;
  const name = nameOf(entity, offers);
  useEffect(() => {
    document.title = `${name} – casm`;
  }, [name]);
  return (
    <>
      <header className={classes.header}>
        <div className={classes.heading}>
          <Text size="xs" c="dimmed">
            {t.one[collection]}
            {entity.externalId && entity.externalId !== name && (
              <>
                {' · '}
                <bdi>{entity.externalId}</bdi>
              </>
            )}
            <CopyId id={entity.refId} />
          </Text>
          <Title order={1} className={classes.title}>
            <bdi>{name}</bdi>
          </Title>
          <Group gap="4px 12px" mt={2} align="baseline">
            <StateBadge state={entity.state.state} />
            {entity.state.stateValidFrom && (
              <Text size="sm" component="span">
                {t.since} <When at={entity.state.stateValidFrom} />
              </Text>
            )}
            <Text size="sm" component="span">
              <span className={classes.dimmed}>{t.reason}</span> <Coded collection="state-reasons" code={entity.state.stateReason} />
            </Text>
            {isTest(entity) && <TestBadge />}
          </Group>
        </div>
        <Group gap="xs">
          <AsOf asOf={asOf} />
          {!asOf && <OperationsMenu kind={kinds[collection]} entity={entity} />}
        </Group>
      </header>
      <Tabs
        value={tab}
        onChange={(to) => void navigate({ to: '.', search: { ...search, tab: to === 'details' ? undefined : to } as never, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {tabs.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {t[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="details">
          <Details collection={collection} entity={entity} asOf={asOf} />
        </Tabs.Panel>
        <Tabs.Panel value="timeLine">
          <TimeLine collection={collection} refId={entity.refId} customer={path?.[0]?.refId} asOf={asOf} />
        </Tabs.Panel>
        <Tabs.Panel value="histories">
          <Histories collection={collection} refId={entity.refId} asOf={asOf} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

function CopyId({ id }: { id: string }) {
  const t = useTexts(care);
  return (
    <CopyButton value={id} timeout={2000}>
      {({ copied, copy }) => (
        <ActionIcon variant="subtle" color="gray" size="xs" ml={4} onClick={copy} aria-label={copied ? t.copied : t.copy} title={id}>
          <svg width="12" height="12" viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
            <path d={copied ? 'M3 8.5 6.5 12 13 4.5' : 'M5.5 5.5h8v8h-8zM10.5 5V2.5h-8v8H5'} />
          </svg>
        </ActionIcon>
      )}
    </CopyButton>
  );
}

/** Says that this is the past, and leads back. */
function Past({ asOf }: { asOf: string }) {
  const t = useTexts(care);
  const search = useSearch({ strict: false }) as PageSearch;
  return (
    <div className={classes.past} role="status">
      <Group justify="space-between" gap="xs">
        <span>
          {t.asOfBanner}{' '}
          <strong>
            <When at={asOf} />
          </strong>
          . {t.asOfReadOnly}
        </span>
        <Button component={Link} to="." search={{ ...search, asOf: undefined } as never} size="xs" variant="default">
          {t.now}
        </Button>
      </Group>
    </div>
  );
}

function Missing({ problem, past, retry }: { problem: Problem; past: boolean; retry(): void }) {
  const t = useTexts(care);
  if (!problem.has('not_found') && !problem.has('invalid_value')) return <ProblemAlert problem={problem} retry={retry} />;
  return (
    <Alert color="gray" title={past ? t.notThere : t.gone} role="alert">
      {!past && (
        <>
          {t.goneHow}{' '}
          <Anchor component={Link} to="/care/search" inherit>
            {t.searchPage}
          </Anchor>
        </>
      )}
    </Alert>
  );
}
