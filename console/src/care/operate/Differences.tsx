import { useQuery } from '@tanstack/react-query';
import { useLabel } from '../../form/SchemaForm';
import { catalogueQuery } from '../../form/services';
import { ChangeTable } from '../../parts/ChangeTable';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { titled } from '../labels';
import { differences } from './compare';
import type { Values } from './operations';

/** What differs between an entity and what becomes of it, or (past) what became of it. */
export function Differences({ now, then, caption, past }: { now?: Values; then: Values; caption: string; past?: boolean }) {
  const t = useTexts(operate);
  const say = useLabel();
  const { data } = useQuery(catalogueQuery);
  const rows = differences(now, then, data ?? []);
  if (rows.length === 0) return null;
  const label = ([first, ...rest]: string[]) =>
    [first === 'state' && rest.length ? [] : [first!], rest]
      .flat()
      .map((name) => say(titled(name)))
      .join(' › ');
  return (
    <ChangeTable
      caption={caption}
      before={now ? (past ? t.was : t.now) : null}
      after={past ? t.now : t.after}
      rows={rows.map(({ path, from, to }) => ({ key: path.join('/'), label: label(path), from, to }))}
    />
  );
}
