import { Button, type ButtonProps, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useState } from 'react';
import type { Operation } from '../../api/schema';
import { Dialog } from '../../parts/Dialog';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { OperationForm } from './OperationForm';
import { type Entity, type Kind, offered, type Transaction, type Values } from './operations';
import { useOperations } from './useOperations';

interface Props {
  /** The operation whose form is open; none: the dialog is closed. */
  operation?: Operation;
  kind?: Kind;
  entity?: Entity;
  preset?: Values;
  onClose(): void;
  onDone?(transaction: Transaction): void;
}

/** What an operation is called: in the menu, and above its form. */
export function useNameOf() {
  const t = useTexts(operate);
  const names: Record<string, string | undefined> = t.operations;
  return ({ path, summary }: Operation) => {
    const whole = path.replace(/^\/v1\/casm\//, '');
    return names[whole] ?? names[whole.slice(whole.indexOf('/') + 1)] ?? summary;
  };
}

/** The dialog with the form of an operation. A click beside it, or Escape once something is typed, does not close it. */
export function OperationDialog({ operation, kind, entity, preset, onClose, onDone }: Props) {
  const t = useTexts(operate);
  const nameOf = useNameOf();
  const small = useMediaQuery('(max-width: 40em)');
  const [dirty, setDirty] = useState(false);
  const close = () => {
    setDirty(false);
    onClose();
  };
  const name = entity?.customName ?? entity?.externalId ?? entity?.refId;
  return (
    <Dialog
      opened={operation !== undefined}
      onClose={close}
      closeOnClickOutside={false}
      closeOnEscape={!dirty}
      size="xl"
      fullScreen={small}
      transitionProps={{ duration: 0 }}
      title={operation && nameOf(operation)}
    >
      {operation && (
        <>
          {name && kind && (
            <Text size="sm" c="dimmed" mb="md" style={{ overflowWrap: 'anywhere' }}>
              {t.kinds[kind]} <bdi>{name}</bdi>
            </Text>
          )}
          <OperationForm
            key={operation.id}
            operation={operation}
            kind={kind}
            entity={entity}
            preset={preset}
            onDirty={setDirty}
            onClose={close}
            onDone={onDone}
          />
        </>
      )}
    </Dialog>
  );
}

interface OperationButtonProps extends ButtonProps {
  /** How the path of the operation ends, such as /state/confirm. */
  path: string;
  kind: Kind;
  entity: Entity;
  preset?: Values;
  'aria-label'?: string;
}

/** A button that opens the form of one operation; nothing where it does not apply. */
export function OperationButton({ path, kind, entity, preset, children, ...rest }: OperationButtonProps) {
  const [open, setOpen] = useState<Operation>();
  const nameOf = useNameOf();
  const operation = offered(useOperations(), kind, entity)
    .flatMap((g) => g.operations)
    .find((o) => o.path.endsWith(path));
  if (!operation) return null;
  return (
    <>
      <Button size="xs" variant="default" {...rest} onClick={() => setOpen(operation)}>
        {children ?? nameOf(operation)}
      </Button>
      <OperationDialog operation={open} kind={kind} entity={entity} preset={preset} onClose={() => setOpen(undefined)} />
    </>
  );
}
