import { ActionIcon, Button, Group as Row, Tabs, Text, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import { membersOf, type Schema, typeOf, useSchemas } from '../api/schema';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';
import type { FieldProps } from './fields';
import classes from './form.module.css';
import { Fields, Group, useErrors, type Values } from './SchemaForm';

/**
 * A list of objects: rows of fields where they are flat, tabs where they hold
 * lists or objects themselves.
 */
export function ListField(props: FieldProps & { at: string }) {
  const { resolve } = useSchemas();
  const schema = resolve(props.schema.items ?? {});
  const deep = Object.values(schema.properties ?? {}).some((s) => ['array', 'object'].includes(typeOf(resolve(s)) ?? ''));
  const rows = Array.isArray(props.value) ? (props.value as Values[]) : [];
  const change = (next: Values[]) => props.onChange(next.length ? next : undefined);
  const Shape = deep ? ItemTabs : ItemRows;
  return (
    <Group wrap={props.wrap}>
      <Shape {...props} schema={schema} rows={rows} change={change} />
    </Group>
  );
}

interface ItemsProps extends Omit<FieldProps, 'value' | 'onChange'> {
  at: string;
  schema: Schema;
  rows: Values[];
  change(rows: Values[]): void;
}

function AddButton({ wrap, onClick }: { wrap: FieldProps['wrap']; onClick(): void }) {
  const t = useTexts(parts);
  if (wrap.disabled) return null;
  return (
    <Button variant="default" size="xs" onClick={onClick} aria-label={`${t.add}: ${wrap.label}`}>
      + {t.add}
    </Button>
  );
}

function ItemRows({ schema, rows, change, at, wrap }: ItemsProps) {
  const t = useTexts(parts);
  return (
    <>
      {rows.length === 0 && (
        <Text c="dimmed" size="sm" mb="xs">
          {t.noRows}
        </Text>
      )}
      {rows.map((row, i) => (
        <div key={i} className={classes.row} role="group" aria-label={t.row(wrap.label, i + 1)}>
          <Fields schema={schema} value={row} onChange={(v) => change(rows.with(i, v))} at={`${at}/${i}`} />
          {!wrap.disabled && (
            <ActionIcon
              variant="subtle"
              color="gray"
              mt={26}
              aria-label={t.removeRow(wrap.label, i + 1)}
              onClick={() => change(rows.toSpliced(i, 1))}
            >
              ✕
            </ActionIcon>
          )}
        </div>
      ))}
      <Row mt="xs">
        <AddButton wrap={wrap} onClick={() => change([...rows, {}])} />
      </Row>
    </>
  );
}

/** The member by which people tell the items apart: the first of the schema. */
function nameOf(schema: Schema, row: Values, n: number): string {
  const first = membersOf(schema)[0]?.[0];
  const value = first === undefined ? undefined : row[first];
  return value === undefined ? `#${n}` : String(value);
}

/** The next number where the items are numbered, as offer versions are. */
function fresh(schema: Schema, rows: Values[]): Values {
  const first = membersOf(schema)[0];
  if (!first || typeOf(first[1]) !== 'integer') return {};
  return { [first[0]]: Math.max(0, ...rows.map((r) => Number(r[first[0]]) || 0)) + 1 };
}

function ItemTabs({ schema, rows, change, at, wrap }: ItemsProps) {
  const t = useTexts(parts);
  const errors = useErrors();
  const [active, setActive] = useState(0);
  const current = Math.min(active, rows.length - 1);
  const wrong = (i: number) => errors.some((e) => e.pointer.startsWith(`${at}/${i}/`));
  const [judged, setJudged] = useState(errors);
  if (judged !== errors) {
    // What was refused is shown, also when it stands behind another tab.
    setJudged(errors);
    const first = rows.findIndex((_, i) => wrong(i));
    if (first >= 0 && !wrong(current)) setActive(first);
  }
  return (
    <Tabs value={String(current)} onChange={(v) => setActive(Number(v))} variant="pills" keepMounted={false}>
      <Row align="center" gap="xs" mb="xs">
        {rows.length > 0 && (
          <Tabs.List aria-label={wrap.label}>
            {rows.map((row, i) => (
              <Tabs.Tab key={i} value={String(i)} color={wrong(i) ? 'red' : undefined}>
                <bdi>{nameOf(schema, row, i + 1)}</bdi>
                {wrong(i) && (
                  <>
                    {' '}
                    <span aria-hidden="true">●</span>
                    <VisuallyHidden>{t.mistakes}</VisuallyHidden>
                  </>
                )}
              </Tabs.Tab>
            ))}
          </Tabs.List>
        )}
        <AddButton
          wrap={wrap}
          onClick={() => {
            change([...rows, fresh(schema, rows)]);
            setActive(rows.length);
          }}
        />
        {rows.length > 0 && !wrap.disabled && (
          <Button
            variant="subtle"
            color="gray"
            size="xs"
            onClick={() => change(rows.toSpliced(current, 1))}
            aria-label={t.removeRow(wrap.label, current + 1)}
          >
            {t.remove}
          </Button>
        )}
      </Row>
      {rows[current] ? (
        <Tabs.Panel value={String(current)}>
          <Fields schema={schema} value={rows[current]} onChange={(v) => change(rows.with(current, v))} at={`${at}/${current}`} />
        </Tabs.Panel>
      ) : (
        <Text c="dimmed" size="sm">
          {t.noRows}
        </Text>
      )}
    </Tabs>
  );
}
