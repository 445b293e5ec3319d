import { Table } from '@mantine/core';
import { type Schema, useSchemas } from '../api/schema';
import { useLabel } from '../form/SchemaForm';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';
import { type Change, walk } from './changes';
import { Value } from './Value';

/** What changed, value by value, before beside after. */
export function Changes({ changes, schema, before, after }: { changes: Change[]; schema?: Schema; before?: string; after?: string }) {
  const t = useTexts(parts);
  const say = useLabel();
  const { resolve } = useSchemas();
  return (
    <Table withRowBorders={false} verticalSpacing={2} horizontalSpacing="xs" layout="fixed">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t.field}</Table.Th>
          <Table.Th>{before ?? t.before}</Table.Th>
          <Table.Th>{after ?? t.after}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {changes.map((c) => {
          const found = schema ? walk(schema, c.pointer, resolve) : { labels: [c.pointer.slice(1)] };
          return (
            <Table.Tr key={c.pointer}>
              <Table.Td>{found.labels.map(say).join(' › ')}</Table.Td>
              <Table.Td>
                <Value value={c.from} schema={found.schema} />
              </Table.Td>
              <Table.Td>
                <Value value={c.to} schema={found.schema} />
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}
