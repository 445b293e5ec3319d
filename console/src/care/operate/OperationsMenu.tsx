import { Button, Menu } from '@mantine/core';
import { useState } from 'react';
import type { Operation } from '../../api/schema';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { OperationDialog, useNameOf } from './OperationDialog';
import classes from './operate.module.css';
import { type Entity, type Kind, offered } from './operations';
import { useOperations } from './useOperations';

/** Every operation that applies to an entity, in a menu. */
export function OperationsMenu({ kind, entity }: { kind: Kind; entity: Entity }) {
  const t = useTexts(operate);
  const nameOf = useNameOf();
  const [open, setOpen] = useState<Operation>();
  const groups = offered(useOperations(), kind, entity);
  const ended = entity.state.state === 'DEACTIVATED';
  if (groups.length === 0) return null;
  return (
    <>
      <Menu position="bottom-end" shadow="md" withinPortal={false} withInitialFocusPlaceholder={false} transitionProps={{ duration: 0 }}>
        <Menu.Target>
          <Button disabled={ended} title={ended ? t.ended : undefined} rightSection={<span aria-hidden>▾</span>}>
            {t.actions}
          </Button>
        </Menu.Target>
        <Menu.Dropdown mah="70vh" style={{ overflowY: 'auto' }}>
          {groups.map(({ group, operations }) => [
            <Menu.Label key={group}>{t.groups[group]}</Menu.Label>,
            ...operations.map((o) => (
              <Menu.Item key={o.id} className={classes.item} onClick={() => setOpen(o)}>
                {nameOf(o)}
              </Menu.Item>
            )),
          ])}
        </Menu.Dropdown>
      </Menu>
      <OperationDialog operation={open} kind={kind} entity={entity} onClose={() => setOpen(undefined)} />
    </>
  );
}
