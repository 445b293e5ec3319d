import { Code } from '@mantine/core';
import { type Schema, typeOf } from '../api/schema';
import { formatDecimal } from '../form/decimal';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';
import { When } from './When';

const instant = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/**
 * A value as people read it. What users entered stays text, in its own
 * direction. Without a schema a text that looks like an instant is one.
 */
export function Value({ value, schema }: { value: unknown; schema?: Schema }) {
  const t = useTexts(parts);
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? t.yes : t.no;
  if (typeof value === 'number') {
    if (schema?.['x-casm-as'] === 'percentage') return `${formatDecimal(value, 4)} %`;
    if (schema?.['x-casm-as'] === 'money') return formatDecimal(value, 6);
    return String(value);
  }
  if (typeof value === 'string') {
    if (schema ? schema.format === 'date-time' : instant.test(value)) return <When at={value} />;
    return <bdi style={{ whiteSpace: 'pre-wrap' }}>{value}</bdi>;
  }
  if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return <bdi>{value.join(', ')}</bdi>;
  if (Array.isArray(value) && schema?.items && typeOf(schema.items) !== 'string') return String(value.length);
  return <Code style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{JSON.stringify(value)}</Code>;
}
