import { Checkbox, Input, NativeSelect, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { Schema } from '../api/schema';
import { SecretInput } from '../parts/SecretInput';
import { useLanguage, useTexts } from '../texts';
import { explained } from '../texts/labels';
import { parts } from '../texts/parts';
import { formatDecimal, parseDecimal } from './decimal';
import classes from './form.module.css';

/** What each field of a form gets. `wrap` is for the input: label, help, error, and whether it can be changed. */
export interface FieldProps {
  schema: Schema;
  value: unknown;
  onChange(value: unknown): void;
  wrap: Wrap;
}

export interface Wrap {
  label: string;
  description?: string;
  error?: string;
  disabled?: boolean;
  'aria-required'?: boolean;
  'data-pointer': string;
}

/** The properties that all of Mantine's inputs share. The asterisk is drawn by the style sheet: it is no part of the label. */
export function common({ 'aria-required': required, ...wrap }: Wrap) {
  return {
    ...wrap,
    'aria-required': required,
    inputWrapperOrder: ['label', 'input', 'error', 'description'] as ('label' | 'input' | 'error' | 'description')[],
    classNames: { label: required ? classes.required : undefined },
  };
}

const given = (text: string) => (text === '' ? undefined : text);

export function TextField({ schema, value, onChange, wrap }: FieldProps) {
  const props = {
    ...common(wrap),
    value: typeof value === 'string' ? value : '',
    dir: 'auto',
    onChange: (e: { currentTarget: { value: string } }) => onChange(given(e.currentTarget.value)),
  };
  if (schema['x-casm-as'] === 'secret') return <SecretInput {...props} autoComplete="new-password" />;
  if (schema['x-casm-multiline']) return <Textarea {...props} autosize minRows={2} maxRows={12} />;
  return <TextInput {...props} autoComplete="off" spellCheck={false} />;
}

export function BooleanField({ value, onChange, wrap }: FieldProps) {
  const { 'data-pointer': pointer, 'aria-required': _, ...rest } = wrap;
  return <Checkbox {...rest} data-pointer={pointer} checked={value === true} onChange={(e) => onChange(e.currentTarget.checked)} mt={4} />;
}

export function ChoiceField({ schema, value, onChange, wrap }: FieldProps) {
  const t = useTexts(parts);
  const choices = (schema.enum ?? []).filter((c) => c !== null);
  return (
    <NativeSelect
      {...common(wrap)}
      data={[
        { value: '', label: typeof schema.default === 'string' ? t.byDefault(schema.default) : '' },
        ...choices.map((c) => ({ value: c, label: c })),
      ]}
      value={typeof value === 'string' ? value : ''}
      onChange={(e) => onChange(given(e.currentTarget.value))}
    />
  );
}

/** A number. What cannot be read as one stays as it was typed, and the server is not asked to guess. */
export function NumberField({ schema, value, onChange, wrap, decimals, unit }: FieldProps & { decimals: number; unit?: string }) {
  const t = useTexts(parts);
  const [typed, setTyped] = useState<string>();
  const shown = typeof value === 'number' ? formatDecimal(value, decimals) : typeof value === 'string' ? value : '';
  const current = typed !== undefined && (parseDecimal(typed, decimals) ?? given(typed)) === value ? typed : shown;
  const wrong = typeof value === 'string' ? (/^-?\d+([.,]\d*)?$/.test(value) ? t.tooManyDecimals(decimals) : t.notANumber) : undefined;
  return (
    <TextInput
      {...common(wrap)}
      error={wrong ?? wrap.error}
      inputMode={decimals ? 'decimal' : 'numeric'}
      autoComplete="off"
      rightSection={unit}
      placeholder={typeof schema.default === 'number' ? t.byDefault(formatDecimal(schema.default, decimals)) : undefined}
      value={current}
      onChange={(e) => {
        const text = e.currentTarget.value;
        setTyped(text);
        onChange(parseDecimal(text, decimals) ?? given(text));
      }}
    />
  );
}

const two = (n: number) => String(n).padStart(2, '0');

function toLocal(iso: string): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return '';
  return `${String(d.getFullYear()).padStart(4, '0')}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** A time, entered in the time zone of who looks at it and kept in UTC. */
export function TimeField({ value, onChange, wrap }: FieldProps) {
  const t = useTexts(parts);
  const zone = t.inLocalTime(Intl.DateTimeFormat().resolvedOptions().timeZone);
  return (
    <TextInput
      {...common(wrap)}
      description={wrap.description ? `${wrap.description} ${zone}` : zone}
      type="datetime-local"
      step={1}
      min="1970-01-01T00:00:00"
      max="2199-12-31T23:59:59"
      value={typeof value === 'string' ? toLocal(value) : ''}
      onChange={(e) => {
        const d = new Date(e.currentTarget.value);
        onChange(Number.isNaN(d.getTime()) ? undefined : d.toISOString());
      }}
    />
  );
}

export function TextsField({ schema, value, onChange, wrap }: FieldProps) {
  const list = Array.isArray(value) ? (value as string[]) : [];
  const change = (v: string[]) => onChange(v.length ? v : undefined);
  const choices = schema.items?.enum?.filter((c) => c !== null);
  if (choices) return <ChecksField value={list} onChange={change} wrap={wrap} choices={choices.map((code) => ({ code }))} />;
  return <TagsInput {...common(wrap)} value={list} onChange={change} />;
}

interface ChecksProps {
  value: string[];
  onChange(value: string[]): void;
  wrap: Wrap;
  /** What may be chosen, and words that explain it; those of texts/labels.ts where there are none. */
  choices: { code: string; name?: string; words?: string }[];
}

/** Several of a few: a check box each. What is chosen and unknown can be taken away. */
export function ChecksField({ value, onChange, wrap, choices }: ChecksProps) {
  const { language } = useLanguage();
  const unknown = value.filter((v) => !choices.some((c) => c.code === v)).map((code) => ({ code, name: code, words: undefined }));
  const { disabled, 'aria-required': _, ...rest } = common(wrap); // which a group does not have
  return (
    <Checkbox.Group {...rest} value={value} onChange={onChange} className={classes.wide}>
      <div className={classes.checks}>
        {[...choices, ...unknown].map(({ code, name = code, words = explained[language][code] }) => (
          <Checkbox key={code} value={code} disabled={disabled} label={<bdi>{name}</bdi>} description={words && <bdi>{words}</bdi>} />
        ))}
      </div>
    </Checkbox.Group>
  );
}

/** A map from text to text, such as customAttributes. */
export function MapField({ value, onChange, wrap }: FieldProps) {
  const t = useTexts(parts);
  const [rows, setRows] = useState<[string, string][]>(() => Object.entries((value ?? {}) as Record<string, string>));
  const change = (next: [string, string][]) => {
    setRows(next);
    const named = next.filter(([k]) => k !== '');
    onChange(named.length ? Object.fromEntries(named) : undefined);
  };
  const shown: [string, string][] = [...rows, ['', '']];
  return (
    <Input.Wrapper {...common(wrap)} component="fieldset" className={classes.plain} labelElement="div">
      {shown.map(([key, text], i) => (
        <div key={i} className={classes.pair}>
          <TextInput
            aria-label={`${wrap.label}: ${t.key} ${i + 1}`}
            placeholder={t.key}
            value={key}
            dir="auto"
            disabled={wrap.disabled}
            onChange={(e) => {
              const next = [...shown];
              next[i] = [e.currentTarget.value, text];
              change(next.filter(([k, v]) => k !== '' || v !== ''));
            }}
          />
          <TextInput
            aria-label={`${wrap.label}: ${t.value} ${i + 1}`}
            placeholder={t.value}
            value={text}
            dir="auto"
            disabled={wrap.disabled}
            onChange={(e) => {
              const next = [...shown];
              next[i] = [key, e.currentTarget.value];
              change(next.filter(([k, v]) => k !== '' || v !== ''));
            }}
          />
        </div>
      ))}
    </Input.Wrapper>
  );
}
