import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useLabel } from '../../form/SchemaForm';
import { catalogueQuery } from '../../form/services';
import { When } from '../../parts/When';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { parts } from '../../texts/parts';
import { differences } from './compare';
import classes from './operate.module.css';
import type { Values } from './operations';

/** billingDay is "Billing Day", as the server's labels are. */
const titled = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replace(/([a-z0-9])([A-Z])/g, '$1 $2');

const time = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

function Value({ value }: { value: unknown }) {
  const t = useTexts(parts);
  if (value === undefined) return <span className={classes.dimmed}>—</span>;
  if (typeof value === 'boolean') return value ? t.yes : t.no;
  if (typeof value === 'string' && time.test(value)) return <When at={value} />;
  return <bdi>{String(value)}</bdi>;
}

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
    <Table className={classes.differences} captionSide="top" verticalSpacing={4} horizontalSpacing={6} layout="fixed">
      <Table.Caption>{caption}</Table.Caption>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{t.member}</Table.Th>
          {now && <Table.Th scope="col">{past ? t.was : t.now}</Table.Th>}
          <Table.Th scope="col">{past ? t.now : t.after}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={row.path.join('/')}>
            <Table.Th scope="row">
              <bdi>{label(row.path)}</bdi>
            </Table.Th>
            {now && (
              <Table.Td>
                <Value value={row.from} />
              </Table.Td>
            )}
            <Table.Td>
              <Value value={row.to} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
