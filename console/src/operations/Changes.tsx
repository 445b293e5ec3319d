import { Table } from '@mantine/core';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { readable } from './about';
import classes from './operations.module.css';
import type { Change } from '../parts/changes';
import { Scroll } from '../parts/Scroll';
import type { Difference } from './transfer';

// So many are shown: an import may have ten thousand.
const mostShown = 500;

/** What differs, item by item and member by member. */
export function Changes({ changes }: { changes: Difference['changes'] }) {
  const t = useTexts(operations);
  return (
    <>
      <Scroll label={t.member} minWidth={560}>
        <Table fz="sm" aria-label={t.change.replaced}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.item}</Table.Th>
              <Table.Th>{t.what}</Table.Th>
              <Table.Th>{t.member}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {changes.slice(0, mostShown).map((c) => (
              <Table.Tr key={`${c.collection}/${c.code}`}>
                <Table.Th scope="row" fw={500}>
                  <bdi>
                    {c.collection}/{c.code}
                  </bdi>
                </Table.Th>
                <Table.Td>{t.change[c.change] ?? c.change}</Table.Td>
                <Table.Td>
                  {c.change !== 'deleted' && (
                    <dl className={classes.facts}>
                      {c.differences.map((d) => (
                        <Member key={d.pointer} difference={d as Change} />
                      ))}
                    </dl>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scroll>
      {changes.length > mostShown && t.moreChanges(changes.length - mostShown)}
    </>
  );
}

function Member({ difference: { pointer, from, to } }: { difference: Change }) {
  const t = useTexts(operations);
  const text = (value: unknown) => <bdi className={classes.code}>{typeof value === 'string' ? value : readable(value)}</bdi>;
  return (
    <>
      <dt>{pointer.slice(1)}</dt>
      <dd>
        {from !== undefined && (
          <>
            {t.was} <del>{text(from)}</del>
            {to !== undefined && ', '}
          </>
        )}
        {to !== undefined && (
          <>
            {from !== undefined && t.is} <ins>{text(to)}</ins>
          </>
        )}
      </dd>
    </>
  );
}
