import { Alert } from '@mantine/core';
import { createContext, useContext } from 'react';
import type { Problem, Violation } from '../api/problem';
import { membersOf, type Schema, typeOf, useSchemas } from '../api/schema';
import { useLanguage, useTexts } from '../texts';
import { labels } from '../texts/labels';
import { parts } from '../texts/parts';
import { BooleanField, ChoiceField, MapField, NumberField, TextField, TextsField, TimeField, type Wrap } from './fields';
import classes from './form.module.css';
import { ListField } from './lists';
import { CodeField, CodesField, EntityField } from './pickers';
import { ProductServiceField, ServiceKindField, useAttributesSchema } from './services';

export type Values = Record<string, unknown>;

interface Form {
  root: Values;
  errors: Violation[];
  /** It was saved before: what is fixed cannot be changed. */
  existing: boolean;
  readOnly: boolean;
  /** The refId of the customer below whom references are searched; none: everywhere. */
  within?: string;
}

const FormContext = createContext<Form>({ root: {}, errors: [], existing: false, readOnly: false });

const noErrors: Violation[] = [];

/** What was refused in the form. */
export const useErrors = () => useContext(FormContext).errors;

export interface SchemaFormProps {
  schema: Schema;
  value: Values;
  onChange(value: Values): void;
  /** What was refused: each error stands beside the field that its pointer names. */
  problem?: Problem;
  existing?: boolean;
  readOnly?: boolean;
  /** Members that the form does not show: the page gives them, or nobody does. */
  hidden?: string[];
  /** The refId of the customer below whom references to entities are searched. */
  within?: string;
}

/** A form made of the JSON Schema that the server serves for a request. */
export function SchemaForm({ schema, value, onChange, problem, existing = false, readOnly = false, hidden, within }: SchemaFormProps) {
  return (
    <FormContext value={{ root: value, errors: problem?.errors ?? noErrors, existing, readOnly, within }}>
      <Fields schema={schema} value={value} onChange={onChange} at="" hidden={hidden} />
    </FormContext>
  );
}

/** Whether a form shows a field for the pointer. */
export function hasField(schema: Schema, hidden: string[] = []) {
  return (pointer: string) => {
    const name = pointer.split('/')[1] ?? '';
    return schema.properties?.[name] !== undefined && !hidden.includes(name) && name !== 'version';
  };
}

interface FieldsProps {
  schema: Schema;
  value: Values;
  onChange(value: Values): void;
  at: string;
  hidden?: string[];
}

/** The fields of one object, within a form. */
export function Fields({ schema, value, onChange, at, hidden = [] }: FieldsProps) {
  const members = membersOf(schema).filter(([name, s]) => !hidden.includes(name) && !(name === 'version' && s.readOnly));
  return (
    <div className={classes.grid}>
      {members.map(([name, member]) => (
        <Field
          key={name}
          schema={member}
          required={schema.required?.includes(name) ?? false}
          at={`${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`}
          siblings={value}
          value={value[name]}
          onChange={(v) => {
            const next = { ...value, [name]: v };
            if (v === undefined) delete next[name];
            onChange(next);
          }}
        />
      ))}
    </div>
  );
}

interface OneFieldProps {
  schema: Schema;
  required: boolean;
  at: string;
  siblings: Values;
  value: unknown;
  onChange(value: unknown): void;
}

function Field({ schema: given, required, at, siblings, value, onChange }: OneFieldProps) {
  const form = useContext(FormContext);
  const schema = useSchemas().resolve(given);
  const wrap = useWrap(schema, at, required);
  const props = { schema, value, onChange, wrap };
  const type = typeOf(schema);
  if (schema['x-casm-entity']) return <EntityField {...props} within={form.within} />;
  if (schema['x-casm-collection'] && type === 'string') return <CodeField {...props} siblings={siblings} />;
  if (schema['x-casm-collection'] && type === 'array') return <CodesField {...props} />;
  switch (schema['x-casm-as']) {
    case 'serviceKind':
      return <ServiceKindField {...props} />;
    case 'productService':
      return <ProductServiceField {...props} root={form.root} />;
    case 'serviceAttributes':
      return <Attributes {...props} at={at} service={siblings.service} />;
    case 'percentage':
      return <NumberField {...props} decimals={4} unit="%" />;
    case 'money':
      return <NumberField {...props} decimals={6} />;
  }
  if (schema.enum) return <ChoiceField {...props} />;
  switch (type) {
    case 'boolean':
      return <BooleanField {...props} />;
    case 'integer':
      return <NumberField {...props} decimals={0} />;
    case 'array':
      if (schema.items && typeOf(schema.items) === 'string') return <TextsField {...props} />;
      return (
        <div className={classes.wide}>
          <ListField {...props} at={at} />
        </div>
      );
    case 'object':
      return (
        <div className={classes.wide}>
          {schema.properties ? (
            <Group wrap={wrap}>
              <Fields
                schema={schema}
                value={(value ?? {}) as Values}
                onChange={(v) => onChange(Object.keys(v).length ? v : undefined)}
                at={at}
              />
            </Group>
          ) : (
            <MapField {...props} />
          )}
        </div>
      );
  }
  if (schema.format === 'date-time') return <TimeField {...props} />;
  if (schema['x-casm-multiline'])
    return (
      <div className={classes.wide}>
        <TextField {...props} />
      </div>
    );
  return <TextField {...props} />;
}

/** Fields that belong together, under their label, with what is wrong with all of them. */
export function Group({ wrap, children }: { wrap: Wrap; children: React.ReactNode }) {
  return (
    <fieldset className={classes.group} data-pointer={wrap['data-pointer']}>
      <legend>{wrap.label}</legend>
      {wrap.error && (
        <Alert color="red" mb="xs" p="xs">
          {wrap.error}
        </Alert>
      )}
      {children}
    </fieldset>
  );
}

function Attributes({
  wrap,
  value,
  onChange,
  at,
  service,
}: {
  wrap: Wrap;
  value: unknown;
  onChange(v: unknown): void;
  at: string;
  service: unknown;
}) {
  const { root } = useContext(FormContext);
  const schema = useAttributesSchema(root, service);
  if (!schema) return null;
  return (
    <div className={classes.wide}>
      <Group wrap={wrap}>
        <Fields schema={schema} value={(value ?? {}) as Values} onChange={(v) => onChange(Object.keys(v).length ? v : undefined)} at={at} />
      </Group>
    </div>
  );
}

function useWrap(schema: Schema, at: string, required: boolean): Wrap {
  const form = useContext(FormContext);
  const t = useTexts(parts);
  const say = useLabel();
  const fixed = form.existing && schema['x-casm-fixed'];
  const notes = [
    say(schema.description),
    schema.readOnly && t.setByServer,
    form.existing && schema['x-casm-frozen'] && t.frozen,
    schema['x-casm-as'] === 'percentage' && t.inPercent,
    schema['x-casm-as'] === 'money' && t.inUnits,
  ].filter(Boolean);
  const leaf =
    (typeOf(schema) !== 'array' || typeOf(schema.items ?? {}) === 'string') &&
    !schema.properties &&
    schema['x-casm-as'] !== 'serviceAttributes';
  const mine = form.errors.filter((e) => e.pointer === at || (leaf && e.pointer.startsWith(`${at}/`)));
  const error = mine.map((e) => e.detail).join(' ');
  return {
    label: say(schema.title) || at.slice(at.lastIndexOf('/') + 1),
    // An error often repeats the help; once is enough.
    description: notes.filter((n) => !error.includes(String(n))).join(' ') || undefined,
    error: error || undefined,
    disabled: form.readOnly || schema.readOnly || fixed || undefined,
    'aria-required': (required && !form.readOnly) || undefined,
    'data-pointer': at,
  };
}

/** A label of the server in the language of who reads it. */
export function useLabel() {
  const { language } = useLanguage();
  return (text: string | undefined) => (text ? (labels[language]?.[text] ?? text) : '');
}
