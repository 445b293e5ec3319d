import { Loader } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import { type Line, useLines } from './branches';
import classes from './care.module.css';
import { isTest, nameOf, type Place } from './entities';
import { amountOf } from './operate/amounts';
import { StateBadge, useNames } from './parts';

interface Props {
  /** From the customer down to what is shown. */
  path: Place[];
  asOf?: string;
}

/**
 * A customer and all below, as a tree: one stop of the Tab key, arrows within
 * (right opens, left closes or goes up), Enter shows.
 */
export function Tree({ path, asOf }: Props) {
  const t = useTexts(care);
  const root = path[0]!;
  const selected = path[path.length - 1]!.refId;
  const navigate = useNavigate();
  const box = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<Map<string, Place>>(new Map());
  const [closed, setClosed] = useState<Set<string>>(new Set());
  const [current, setCurrent] = useState(selected);

  // What is shown is in sight, wherever it was opened from.
  // only another entity moves the mark
  useEffect(() => {
    setCurrent(selected);
    setOpened((now) => new Map([...now, ...path.map((p) => [p.refId, p] as const)]));
    setClosed((now) => new Set([...now].filter((id) => !path.slice(0, -1).some((p) => p.refId === id))));
  }, [selected]);
  const open = useMemo(() => {
    const all = new Map([...opened, ...path.map((p) => [p.refId, p] as const)]);
    return [...all.values()].filter((p) => !closed.has(p.refId));
  }, [opened, closed, path]);
  const lines = useLines(root, open, asOf);

  const isOpen = (line: Line) => 'entity' in line.what && line.what.open;
  function toggle(line: Line, wish: boolean) {
    if (!('entity' in line.what)) return;
    if (wish) setOpened((now) => new Map(now).set(line.key, line.owner));
    setClosed((now) => {
      const next = new Set(now);
      if (wish) next.delete(line.key);
      else next.add(line.key);
      return next;
    });
  }
  function move(to: Line | undefined) {
    if (!to) return;
    setCurrent(to.key);
    box.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(to.key)}"]`)?.focus();
  }
  function onKeyDown(e: KeyboardEvent) {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    const at = lines.findIndex((l) => l.key === current);
    const line = lines[at];
    if (!line) return;
    const key = e.key;
    if (key === 'ArrowDown') move(lines[at + 1]);
    else if (key === 'ArrowUp') move(lines[at - 1]);
    else if (key === 'Home') move(lines[0]);
    else if (key === 'End') move(lines[lines.length - 1]);
    else if (key === 'ArrowRight') {
      if (isOpen(line)) move(lines[at + 1]?.level === line.level + 1 ? lines[at + 1] : undefined);
      else toggle(line, true);
    } else if (key === 'ArrowLeft') {
      if (isOpen(line) && !('leaf' in line.what && line.what.leaf)) toggle(line, false);
      else move(lines.slice(0, at).findLast((l) => l.level < line.level));
    } else if (key === ' ') box.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(line.key)}"]`)?.click();
    else if (key.length === 1) {
      const from = [...lines.slice(at + 1), ...lines.slice(0, at + 1)];
      const text = (l: Line) => box.current?.querySelector(`[data-key="${CSS.escape(l.key)}"] bdi`)?.textContent?.toLowerCase() ?? '';
      move(from.find((l) => text(l).startsWith(key.toLowerCase())));
    } else return;
    e.preventDefault();
  }

  const stop = lines.some((l) => l.key === current) ? current : lines[0]?.key;
  return (
    <div ref={box} role="tree" aria-label={t.tree} tabIndex={-1} className={classes.tree} onKeyDown={onKeyDown}>
      {lines.map((line) => {
        const entity = 'entity' in line.what ? line.what : undefined;
        const branch = entity && !entity.leaf;
        const here = line.key === selected;
        const to = 'rest' in line.what ? `/care/${line.what.rest}` : `/care/${line.owner.collection}/${line.owner.refId}`;
        const search = 'rest' in line.what ? { [narrow[line.owner.collection]]: line.owner.refId } : { asOf };
        return (
          <a
            key={line.key}
            href={hrefOf(to, search)}
            role="treeitem"
            data-key={line.key}
            data-state={entity?.entity.state.state}
            aria-level={line.level}
            aria-posinset={line.at}
            aria-setsize={line.of}
            aria-expanded={branch ? entity.open : undefined}
            aria-busy={entity?.loading || undefined}
            aria-selected={here}
            aria-current={here ? 'true' : undefined}
            tabIndex={line.key === stop ? 0 : -1}
            className={classes.line}
            style={{ paddingInlineStart: `${(line.level - 1) * 14 + 4}px` }}
            onFocus={() => setCurrent(line.key)}
            onClick={(e) => {
              if (e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
              e.preventDefault();
              void navigate({ to, search: search as never });
            }}
          >
            {/* For the pointer only: the keyboard and screen readers have the line itself. */}
            <span
              className={classes.twist}
              aria-hidden="true"
              data-open={branch ? entity.open : undefined}
              onClick={(e) => {
                if (!branch) return;
                e.preventDefault();
                e.stopPropagation();
                toggle(line, !entity.open);
              }}
            >
              {entity?.loading ? <Loader size={10} /> : branch ? '▸' : ''}
            </span>
            <span className={classes.lineText}>
              <LineText line={line} />
            </span>
          </a>
        );
      })}
    </div>
  );
}

function hrefOf(to: string, search: Record<string, string | undefined>): string {
  const query = new URLSearchParams(Object.entries(search).flatMap(([k, v]) => (v ? [[k, v]] : [])));
  return query.size ? `${to}?${query}` : to;
}

const narrow = { customers: 'customer', accounts: 'account', subscribers: 'subscriber', subscriptions: '' } as const;

function LineText({ line: { what, owner } }: { line: Line }) {
  const t = useTexts(care);
  const offers = useNames('offers');
  if ('entity' in what) {
    const { entity } = what;
    const name = nameOf(entity, offers);
    return (
      <>
        <span className={classes.glyph}>{t.one[owner.collection]}</span> <bdi>{name}</bdi>{' '}
        {entity.externalId && entity.externalId !== name && <bdi className={classes.dimmed}>{entity.externalId}</bdi>}{' '}
        {entity.state.state !== 'ACTIVE' && <StateBadge state={entity.state.state} />} {isTest(entity) && <em>{t.testBadge}</em>}
      </>
    );
  }
  if ('resource' in what)
    return (
      <>
        <bdi className={classes.glyph}>{what.resource.resourceType}</bdi> <bdi>{what.resource.resource}</bdi>
      </>
    );
  if ('balance' in what)
    return (
      <>
        <bdi className={classes.glyph}>{what.balance.service}</bdi> <span>{amountOf(what.balance, what.balance.actualBalance)}</span>
      </>
    );
  if ('rest' in what) return <em>{t.truncated(t.many[what.rest])}</em>;
  return <em>{t.branchFailed}</em>;
}
