import { Anchor, Badge } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { itemsQuery } from '../form/pickers';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import type { PageSearch } from './address';
import classes from './care.module.css';
import type { Collection, Reference } from './entities';

/** A state in words, with a mark whose colour and shape tell it at a glance. */
export function StateBadge({ state }: { state: string }) {
  const t = useTexts(care);
  return (
    <span className={classes.state} data-state={state}>
      {t.states[state] ?? state}
    </span>
  );
}

export function TestBadge() {
  const t = useTexts(care);
  return (
    <Badge size="sm" variant="default" radius="sm" tt="none">
      {t.testBadge}
    </Badge>
  );
}

/** The name of a code of configuration, with the code. */
export function Coded({ collection, code }: { collection: string; code: string }) {
  const { data } = useQuery({ ...itemsQuery(collection), staleTime: 60_000 });
  const name = data?.find((i) => i.code === code)?.name;
  if (!name || name === code) return <bdi>{code}</bdi>;
  return (
    <span title={code}>
      <bdi>{name}</bdi> <span className={classes.dimmed}>{code}</span>
    </span>
  );
}

/** Names by code of a collection of configuration. */
export function useNames(collection: string): Map<string, string> | undefined {
  const { data } = useQuery({
    ...itemsQuery(collection),
    staleTime: 60_000,
    select: (items) => new Map(items.map((i) => [i.code, i.name])),
  });
  return data;
}

/** A link to the page of an entity, at the time that is looked at. */
export function EntityLink({ collection, refId, children }: { collection: Collection; refId: string; children: ReactNode }) {
  const { asOf } = useSearch({ strict: false }) as PageSearch;
  return (
    <Anchor component={Link} to={`/care/${collection}/${refId}`} search={{ asOf } as never} inherit>
      {children}
    </Anchor>
  );
}

/** A reference as a link, called by its external id. */
export function ReferenceLink({ collection, reference }: { collection: Collection; reference: Reference }) {
  return (
    <EntityLink collection={collection} refId={reference.refId}>
      <bdi>{reference.externalId ?? reference.refId}</bdi>
    </EntityLink>
  );
}
