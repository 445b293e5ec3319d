import { Alert, Button, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { api, queryClient } from '../../api/client';
import type { Operation } from '../../api/schema';
import { useSubmission } from '../../api/submission';
import { hasField, SchemaForm } from '../../form/SchemaForm';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { useNotify } from '../../parts/notify';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { parts } from '../../texts/parts';
import { Conflict } from './Conflict';
import { DryRun } from './DryRun';
import classes from './operate.module.css';
import { bodyOf, type Entity, givenMembers, type Kind, memberFor, prefill, rebased, type Transaction, type Values } from './operations';
import { type Special, specialFor } from './special';

interface Input {
  body: Values;
  version?: number;
}

/** Sends a write, or asks what it would do. */
async function send(operation: Operation, { body, version }: Input, requestId: string, dryRun: boolean) {
  const { data } = await api.POST(operation.path as '/v1/casm/customers/update', {
    params: {
      query: dryRun ? { dryRun } : {},
      header: version === undefined ? {} : { 'If-Match': `"${version}"` },
    },
    body: { ...body, requestId } as never,
  });
  return data as unknown as Transaction;
}

/** What was shown may not hold any more: all but the configuration is read again. */
function refresh() {
  void queryClient.invalidateQueries({ predicate: ({ queryKey }) => !['openapi', 'config'].includes(String(queryKey[0])) });
}

export interface OperationFormProps {
  operation: Operation;
  /** The entity that the operation names, as the page shows it. */
  kind?: Kind;
  entity?: Entity;
  /** Values that the form begins with. */
  preset?: Values;
  /** Something was typed that closing would lose. */
  onDirty(dirty: boolean): void;
  onClose(): void;
  onDone?(transaction: Transaction): void;
}

/** The form of an operation: asks the server what would change, shows it, and does it when that is wanted. */
export function OperationForm({ operation, kind, entity, preset = {}, onDirty, onClose, onDone }: OperationFormProps) {
  const t = useTexts(operate);
  const notify = useNotify();
  const p = useTexts(parts);
  const [base, setBase] = useState(entity);
  const [stood, setStood] = useState(() => prefill(operation, entity));
  const [values, setValues] = useState<Values>({ ...stood, ...preset });
  const [checked, setChecked] = useState<{ text: string; transaction: Transaction }>();
  const result = useRef<HTMLElement>(null);

  const given = givenMembers(operation, kind);
  const special: Special | undefined = specialFor(operation, kind);
  const member = kind && memberFor(operation, kind);
  const input: Input = {
    body: { ...bodyOf(operation, given, values, stood), ...(member && base ? { [member]: { refId: base.refId } } : {}) },
    // The version is compared with that of an entity which the body names by its kind (rule 4).
    ...(member === kind && base ? { version: base.version } : {}),
  };
  const text = JSON.stringify(input);
  const current = checked?.text === text ? checked.transaction : undefined;

  const check = useSubmission<Input, Transaction>(
    (given, requestId) => send(operation, given, requestId, true),
    (transaction, given) => setChecked({ text: JSON.stringify(given), transaction }),
  );
  const real = useSubmission<Input, Transaction>(
    (given, requestId) => send(operation, given, requestId, false),
    (transaction) => {
      refresh();
      notify(transaction.impactedTotal === 0 ? t.nothingChanged : t.done(transaction.impactedTotal));
      onDone?.(transaction);
      onClose();
    },
  );
  const busy = check.busy || real.busy;
  const problem = real.problem ?? check.problem;

  useEffect(() => {
    if (current) result.current?.focus();
  }, [current]);

  const change = (next: Values) => {
    setValues(next);
    onDirty(true);
  };
  const first = special?.members ?? [];
  const shown = (pointer: string) => hasField(operation.schema, given)(pointer);
  const schema = { ...operation.schema, properties: { ...operation.schema.properties } };
  if (schema.properties.comment) schema.properties.comment = { ...schema.properties.comment, 'x-casm-order': 1000 };
  const within = kind === 'customer' ? entity?.refId : entity?.customer?.refId;

  return (
    <form
      noValidate
      className={classes.form}
      onSubmit={(e) => {
        e.preventDefault();
        if (busy) return;
        real.reset();
        check.submit(input);
      }}
    >
      {problem && problem.status !== 412 && (
        <ProblemAlert problem={problem} hasField={shown} retry={() => (real.problem ? real.submit(input) : check.submit(input))} />
      )}
      {problem?.status === 412 && kind && base && (
        <Conflict
          kind={kind}
          entity={base}
          onRead={(fresh) => {
            const now = prefill(operation, fresh);
            setValues(rebased(values, stood, now));
            setStood(now);
            setBase(fresh);
          }}
        />
      )}
      {special && (
        <special.Fields operation={operation} entity={base} preset={preset} values={values} onChange={change} problem={problem} />
      )}
      <SchemaForm schema={schema} value={values} onChange={change} problem={problem} hidden={[...given, ...first]} within={within} />
      {current && (
        <section ref={result} className={classes.result} tabIndex={-1} aria-label={t.dryRun}>
          <DryRun transaction={current} entity={base} />
        </section>
      )}
      {!current && checked && !problem && (
        <Alert color="gray" p="xs">
          <Text size="sm">{t.stale}</Text>
        </Alert>
      )}
      <div className={classes.footer}>
        <Button variant="default" onClick={onClose}>
          {t.close}
        </Button>
        <Button type="submit" variant={current ? 'default' : 'filled'} loading={check.busy} disabled={real.busy}>
          {current ? t.checkAgain : t.check}
        </Button>
        {current && (
          <Button onClick={() => real.submit(input)} loading={real.busy}>
            {real.problem?.passing ? p.retry : t.doIt}
          </Button>
        )}
      </div>
    </form>
  );
}
