import { Table } from '@mantine/core';
import type { Schema } from '../api/schema';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';
import classes from './changes.module.css';
import { Value } from './Value';

/** One value that changed: what it is called, and before and after; nothing is undefined or null. */
export interface ChangedValue {
  key: string;
  label: string;
  /** How the value is called exactly. */
  title?: string;
  from?: unknown;
  to?: unknown;
  schema?: Schema;
}

interface Props {
  rows: ChangedValue[];
  caption?: string;
  /** What the columns are called; a before of null: there is none. */
  before?: string | null;
  after?: string;
  label?: string;
}

/** Values that changed, before beside after. */
export function ChangeTable({ rows, caption, before, after, label }: Props) {
  const t = useTexts(parts);
  return (
    <Table
      className={classes.table}
      captionSide="top"
      verticalSpacing={2}
      horizontalSpacing={6}
      layout="fixed"
      withRowBorders={false}
      aria-label={label}
    >
      {caption && <Table.Caption>{caption}</Table.Caption>}
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{t.field}</Table.Th>
          {before !== null && <Table.Th scope="col">{before ?? t.before}</Table.Th>}
          <Table.Th scope="col">{after ?? t.after}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={row.key}>
            <Table.Th scope="row" title={row.title}>
              <bdi>{row.label}</bdi>
            </Table.Th>
            {before !== null && (
              <Table.Td>
                <Held value={row.from} schema={row.schema} />
              </Table.Td>
            )}
            <Table.Td>
              <Held value={row.to} schema={row.schema} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Held({ value, schema }: { value: unknown; schema?: Schema }) {
  if (value === undefined || value === null) return <span className={classes.absent}>—</span>;
  return <Value value={value} schema={schema} />;
}
