import { Table, UnstyledButton } from '@mantine/core';
import { memo, useState } from 'react';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { nameOf } from './about';
import type { Item } from './feed';
import { MessageDrawer } from './MessageDrawer';
import classes from './operations.module.css';
import { Scroll } from '../parts/Scroll';

/** Messages, in the order given; each opens as a whole. */
export function MessageTable({ items, label }: { items: readonly Item[]; label: string }) {
  const t = useTexts(operations);
  const [open, setOpen] = useState<Item>();
  return (
    <>
      <Scroll label={label} minWidth={860}>
        <Table highlightOnHover verticalSpacing={4} aria-label={label} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.time}</Table.Th>
              <Table.Th>{t.entity}</Table.Th>
              <Table.Th>{t.event}</Table.Th>
              <Table.Th>{t.operation}</Table.Th>
              <Table.Th className={classes.nowrap}>{t.version}</Table.Th>
              <Table.Th>{t.actor}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((item) => (
              <Row key={item.position} item={item} open={setOpen} />
            ))}
          </Table.Tbody>
        </Table>
      </Scroll>
      <MessageDrawer item={open} close={() => setOpen(undefined)} />
    </>
  );
}

const Row = memo(function Row({ item, open }: { item: Item; open(item: Item): void }) {
  const t = useTexts(operations);
  const name = nameOf(item);
  return (
    <Table.Tr onClick={() => open(item)}>
      <Table.Td className={classes.nowrap}>
        <When at={item.timestamp} />
      </Table.Td>
      <Table.Td>
        <UnstyledButton fz="sm" td="underline" aria-label={t.details(name)}>
          <bdi>{name}</bdi>
        </UnstyledButton>
      </Table.Td>
      <Table.Td className={classes.nowrap}>
        {item.messageCode} {item.event}
      </Table.Td>
      <Table.Td className={classes.nowrap}>{item.operation}</Table.Td>
      <Table.Td>{String(item.payload.version ?? '')}</Table.Td>
      <Table.Td className={classes.actor}>
        <bdi>{item.actor}</bdi>
      </Table.Td>
    </Table.Tr>
  );
});
