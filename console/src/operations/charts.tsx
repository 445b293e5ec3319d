import { Table, Text } from '@mantine/core';
import { useId } from 'react';
import { useLanguage, useTexts } from '../texts';
import { operations } from '../texts/operations';
import classes from './operations.module.css';

// So many rows are drawn; what is below them is counted together.
const mostRows = 12;

/** Counts by name, the greatest first: a table whose rows have bars. */
export function Bars({
  title,
  counts,
  label = (name) => name,
}: {
  title: string;
  counts: Record<string, number>;
  label?(name: string): string;
}) {
  const t = useTexts(operations);
  const { language } = useLanguage();
  const id = useId();
  const rows = Object.entries(counts)
    .filter(([, n]) => n !== 0)
    .sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
  const total = rows.reduce((sum, [, n]) => sum + n, 0);
  const most = Math.max(1, ...rows.map(([, n]) => n));
  const shown = rows.length > mostRows + 1 ? rows.slice(0, mostRows) : rows;
  const rest = rows.slice(shown.length);
  const number = (n: number) => n.toLocaleString(language);
  return (
    <section className={classes.card} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {rows.length === 0 ? (
        <Text c="dimmed" size="sm">
          {t.nothing}
        </Text>
      ) : (
        <table className={classes.bars} aria-labelledby={id}>
          <tbody>
            {shown.map(([name, n]) => (
              <tr key={name}>
                <th scope="row">
                  <bdi>{label(name)}</bdi>
                </th>
                <td className={classes.number}>{number(n)}</td>
                <td className={classes.track} aria-hidden="true">
                  <div className={classes.bar} style={{ width: `${(n / most) * 100}%` }} />
                </td>
              </tr>
            ))}
            {rest.length > 0 && (
              <tr>
                <th scope="row">{t.more(rest.length)}</th>
                <td className={classes.number}>{number(rest.reduce((sum, [, n]) => sum + n, 0))}</td>
                <td />
              </tr>
            )}
            <tr>
              <th scope="row">{t.total}</th>
              <td className={classes.number}>
                <b>{number(total)}</b>
              </td>
              <td />
            </tr>
          </tbody>
        </table>
      )}
    </section>
  );
}

/** A count of a day. */
export interface Day {
  date: string;
  count: number;
}

/** The days up to the last one, with 0 where nothing happened. */
export function daysUpTo(last: string, length: number, counts: Map<string, number>): Day[] {
  const end = Date.parse(`${last}T00:00:00Z`);
  return Array.from({ length }, (_, i) => {
    const date = new Date(end - (length - 1 - i) * 86_400_000).toISOString().slice(0, 10);
    return { date, count: counts.get(date) ?? 0 };
  });
}

const width = 640;
const height = 180;
const left = 44;
const bottom = 22;

/** Counts by day as columns; the same as a table for who cannot see them. */
export function Columns({ label, days }: { label: string; days: Day[] }) {
  const t = useTexts(operations);
  const { language } = useLanguage();
  const number = (n: number) => n.toLocaleString(language);
  const date = (d: string) => new Date(`${d}T00:00:00Z`).toLocaleDateString(language, { timeZone: 'UTC', day: 'numeric', month: 'short' });
  const step = niceStep(Math.max(1, ...days.map((d) => d.count)) / 4);
  const top = step * Math.max(1, Math.ceil(Math.max(...days.map((d) => d.count)) / step));
  const y = (n: number) => 8 + (height - bottom - 8) * (1 - n / top);
  const slot = (width - left) / days.length;
  const each = Math.ceil(days.length / 6);
  return (
    <>
      <svg className={classes.chart} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step).map((n) => (
          <g key={n}>
            <line x1={left} x2={width} y1={y(n)} y2={y(n)} />
            <text x={left - 6} y={y(n) + 4} textAnchor="end">
              {number(n)}
            </text>
          </g>
        ))}
        {days.map((d, i) => (
          <g key={d.date}>
            <title>{`${date(d.date)}: ${number(d.count)}`}</title>
            <rect x={left + i * slot + slot * 0.1} width={slot * 0.8} y={y(d.count)} height={y(0) - y(d.count)} />
            {(days.length - 1 - i) % each === 0 && (
              <text x={left + (i + 0.5) * slot} y={height - 6} textAnchor={i === days.length - 1 ? 'end' : 'middle'}>
                {date(d.date)}
              </text>
            )}
          </g>
        ))}
      </svg>
      <details>
        <summary>{t.asTable}</summary>
        <Table fz="sm" aria-label={label} maw={320}>
          <Table.Tbody>
            {days.map((d) => (
              <Table.Tr key={d.date}>
                <Table.Th scope="row" fw={400}>
                  {d.date}
                </Table.Th>
                <Table.Td ta="end">{number(d.count)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </details>
    </>
  );
}

/** The next of 1, 2, 5, 10, 20 … that is no less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least) ?? power * 10;
}
