import { Anchor } from '@mantine/core';
import { Link, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useSchemas } from '../api/schema';
import { useLabel } from '../form/SchemaForm';
import { ChangeTable } from '../parts/ChangeTable';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import type { PageSearch } from './address';
import classes from './care.module.css';
import type { Collection } from './entities';
import type { Happened, Touched } from './happened';
import { titled } from './labels';
import { useNameOf } from './operate/OperationDialog';
import { EntityLink } from './parts';

/** Of how many entities the changes are shown at once; the others wait until they are asked for. */
const shownAtOnce = 3;

/** A business transaction: what, when, who, why, and what it changed. `alone`: of the entity of the page only. */
export function Event({ event: e, alone }: { event: Happened; alone: boolean }) {
  const t = useTexts(care);
  const name = useOperationName();
  const search = useSearch({ strict: false }) as PageSearch;
  const [open, setOpen] = useState(e.touched.length <= shownAtOnce);
  return (
    <li className={classes.event}>
      <div className={classes.eventHead}>
        <strong title={e.operation}>{name(e.operation)}</strong>
        <span className={classes.dimmed}>
          <When at={e.timestamp} />
        </span>
        {e.actor && (
          <span>
            <span className={classes.dimmed}>{t.who}</span> <bdi>{e.actor}</bdi>
          </span>
        )}
        <Anchor component={Link} to="." search={{ ...search, tab: undefined, asOf: e.timestamp } as never} size="sm">
          {t.thenView}
        </Anchor>
      </div>
      {e.comment && (
        <p className={classes.comment}>
          <bdi>{e.comment}</bdi>
        </p>
      )}
      <div className={classes.eventIds}>
        {e.requestId && (
          <>
            {t.requestId} <bdi>{e.requestId}</bdi>
          </>
        )}
      </div>
      {open ? (
        e.touched.map((touched, i) => <Changes key={`${touched.refId} ${i}`} touched={touched} alone={alone} />)
      ) : (
        <button type="button" className={classes.plain} onClick={() => setOpen(true)}>
          ▸ {t.changed(e.touched.length)}
        </button>
      )}
    </li>
  );
}

function Changes({
  touched: { messageCode, event, collection, refId, name, version, changes },
  alone,
}: {
  touched: Touched;
  alone: boolean;
}) {
  const t = useTexts(care);
  const label = usePointerLabel();
  return (
    <div className={classes.touched}>
      {!alone && (
        <div className={classes.touchedHead}>
          <span className={classes.glyph}>{t.messages[messageCode ?? ''] ?? messageCode}</span>{' '}
          {collection ? (
            <EntityLink collection={collection} refId={refId}>
              <bdi>{name ?? refId}</bdi>
            </EntityLink>
          ) : (
            <bdi>{name ?? refId}</bdi>
          )}{' '}
          <span className={classes.dimmed}>
            {t.events[event ?? ''] ?? event}, {t.version(version)}
          </span>
        </div>
      )}
      {changes.length > 0 && (
        <ChangeTable
          label={t.changes}
          rows={changes.map(({ pointer, from, to }) => ({ key: pointer, label: label(pointer), title: pointer, from, to }))}
        />
      )}
    </div>
  );
}

/** "/state/stateReason" as people call it. A custom attribute's key stays as it is. */
function usePointerLabel() {
  const say = useLabel();
  return (pointer: string) => {
    const [first = '', ...rest] = pointer
      .slice(1)
      .split('/')
      .map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (first === 'customAttributes') return [say(titled(first)), ...rest].join(' › ');
    const names = first === 'state' && rest.length ? rest : [first, ...rest.filter((r) => r !== 'externalId')];
    return names.map((n) => say(titled(n))).join(' › ');
  };
}

/** What an operation is called: as in the menu of operations, and what it is done to; else its id in words. */
function useOperationName() {
  const t = useTexts(care);
  const { operations } = useSchemas();
  const nameOf = useNameOf();
  return (id: string) => {
    const operation = operations('/v1/casm/').find((o) => o.id === id);
    if (!operation) return t.operations[id] ?? titled(id);
    const collection = operation.path.split('/')[3] as Collection;
    return id.startsWith('create') ? nameOf(operation) : `${t.one[collection] ?? ''}: ${nameOf(operation)}`;
  };
}
