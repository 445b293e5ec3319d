import { Button } from '@mantine/core';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import type { Operation } from '../../api/schema';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { OperationDialog } from './OperationDialog';
import { useOperations } from './useOperations';

/** The button that creates a customer; onCreated is told which. */
export function NewCustomer({ onCreated }: { onCreated?(customer: Schemas['Customer']): void }) {
  const t = useTexts(operate);
  const [open, setOpen] = useState<Operation>();
  const operation = useOperations().find((o) => o.id === 'createCustomer');
  if (!operation) return null;
  return (
    <>
      <Button onClick={() => setOpen(operation)}>+ {t.newCustomer}</Button>
      <OperationDialog
        operation={open}
        onClose={() => setOpen(undefined)}
        onDone={(transaction) => onCreated?.(transaction.payload as unknown as Schemas['Customer'])}
      />
    </>
  );
}
