import { Anchor, Badge, Button, Group, Table, Text, TextInput, UnstyledButton } from '@mantine/core';
import { useSuspenseQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import { collectionPath, itemPage, newPage, toChange } from '../api/collections';
import { membersOf, type Schema, typeOf, useSchemas } from '../api/schema';
import { useMay } from '../api/session';
import { type Item, itemsQuery } from '../form/pickers';
import { useLabel } from '../form/SchemaForm';
import { Page } from '../parts/Page';
import { Value } from '../parts/Value';
import { NotFound } from '../shell/NotFound';
import { useLanguage, useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import { parts } from '../texts/parts';
import classes from './configuration.module.css';
import { type Collection, useCollection } from './menu';

export function ListPage() {
  const { collection } = useCollection();
  const schemas = useSchemas();
  if (!collection) return <NotFound />;
  const schema = schemas.ofItems(collectionPath(collection));
  if (!schema) return <NotFound />;
  return <List key={collection} collection={collection} schema={schema} />;
}

/** How many rows are drawn at first, and with each wish for more. */
const step = 200;

/** The members that make a column: those that are one value, or a few codes, and not its prose. */
function columnsOf(schema: Schema): [string, Schema][] {
  const members = membersOf(schema).filter(
    ([name, s]) =>
      (!['array', 'object'].includes(typeOf(s) ?? '') || s['x-casm-collection']) &&
      !s['x-casm-multiline'] &&
      name !== 'retired' &&
      name !== 'version',
  );
  const code = members.findIndex(([name]) => name === 'code');
  return [members[code]!, ...members.toSpliced(code, 1)];
}

function List({ collection, schema }: { collection: Collection; schema: Schema }) {
  const t = useTexts(configuration);
  const p = useTexts(parts);
  const say = useLabel();
  const { language } = useLanguage();
  const may = useMay();
  const navigate = useNavigate();
  const { data } = useSuspenseQuery(itemsQuery(collection));
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState<{ by: string; down: boolean }>({ by: 'code', down: false });
  const [drawn, setDrawn] = useState(step);
  const wanted = useDeferredValue(filter).trim().toLowerCase();

  const columns = columnsOf(schema);
  const shown = data.filter((i) => !wanted || Object.entries(i).some(([n, v]) => n !== 'version' && matches(v, wanted)));
  shown.sort((a, b) => compare(a[sort.by], b[sort.by], language) * (sort.down ? -1 : 1));

  const target = (item: Item) => ({ to: itemPage(collection, item.code) });
  return (
    <Page
      title={t.collections[collection].many}
      actions={
        may(toChange(collection)) && (
          <Button component={Link} to={newPage(collection)} size="sm">
            + {t.create}
          </Button>
        )
      }
    >
      {data.length === 0 ? (
        <>
          <Text fw={600}>{t.nothing}</Text>
          {may(toChange(collection)) && <Text>{t.nothingHow}</Text>}
        </>
      ) : (
        <>
          <Group mb="sm" gap="md">
            <TextInput
              type="search"
              aria-label={t.filter}
              placeholder={t.filterHint}
              value={filter}
              onChange={(e) => setFilter(e.currentTarget.value)}
              className={classes.filter}
              size="sm"
            />
            <Text size="sm" c="dimmed" role="status">
              {t.shown(shown.length, data.length)}
            </Text>
          </Group>
          {shown.length === 0 && <Text>{t.noMatch}</Text>}
          {shown.length > 0 && (
            <Table highlightOnHover verticalSpacing={6} className={classes.table} aria-label={t.collections[collection].many}>
              <Table.Thead>
                <Table.Tr>
                  {columns.map(([name, s], n) => (
                    <Table.Th
                      key={name}
                      className={n > 1 ? classes.optional : undefined}
                      aria-sort={sort.by === name ? (sort.down ? 'descending' : 'ascending') : undefined}
                    >
                      <UnstyledButton className={classes.sort} onClick={() => setSort({ by: name, down: sort.by === name && !sort.down })}>
                        {say(s.title)}
                        <span aria-hidden="true">{sort.by === name ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
                      </UnstyledButton>
                    </Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {shown.slice(0, drawn).map((item) => (
                  <Table.Tr key={item.code} onClick={() => void navigate(target(item))} className={classes.row}>
                    {columns.map(([name, s], n) => (
                      <Table.Td key={name} className={n > 1 ? classes.optional : undefined}>
                        {name === 'code' ? (
                          <Anchor component={Link} {...target(item)} size="sm" onClick={(e: React.MouseEvent) => e.stopPropagation()}>
                            <bdi>{item.code}</bdi>
                          </Anchor>
                        ) : item[name] === false ? null : (
                          <span className={classes.clip}>
                            <Value value={item[name]} schema={s} />
                          </span>
                        )}
                        {name === 'name' && item.retired && (
                          <Badge variant="default" size="xs" ml="xs" tt="none">
                            {p.retired}
                          </Badge>
                        )}
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )}
          {shown.length > drawn && (
            <Button variant="default" size="xs" mt="sm" onClick={() => setDrawn(drawn + step)}>
              {t.more(Math.min(step, shown.length - drawn))}
            </Button>
          )}
        </>
      )}
    </Page>
  );
}

function matches(value: unknown, wanted: string): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some((v) => matches(v, wanted));
  return (
    typeof value !== 'boolean' &&
    String(value ?? '')
      .toLowerCase()
      .includes(wanted)
  );
}

function compare(a: unknown, b: unknown, language: string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '').localeCompare(String(b ?? ''), language, { numeric: true });
}
