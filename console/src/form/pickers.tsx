import { Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Schemas } from '../api/client';
import { collectionPath } from '../api/collections';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';
import { ChecksField, common, type FieldProps, TextsField } from './fields';

/** What all items of configuration have, and whatever else one has. */
export type Item = Schemas['AccountType'] & Record<string, unknown>;

export function itemsQuery(collection: string) {
  return queryOptions({
    queryKey: ['config', collection],
    queryFn: async ({ signal }) => ((await api.GET(collectionPath(collection), { signal })).data?.items ?? []) as Item[],
  });
}

/** A text of users beside others: directions do not mix. */
export const isolated = (text: string) => `\u2068${text}\u2069`;

/** The code of an item of configuration, searched by code and name. */
export function CodeField({ schema, value, onChange, wrap, siblings }: FieldProps & { siblings: Record<string, unknown> }) {
  const t = useTexts(parts);
  const { data, error } = useQuery(itemsQuery(schema['x-casm-collection']!));
  const code = typeof value === 'string' ? value : undefined;
  if (error)
    return (
      <TextInput {...common(wrap)} value={code ?? ''} onChange={(e) => onChange(e.currentTarget.value || undefined)} autoComplete="off" />
    );
  const same = schema['x-casm-same'];
  const wanted = same && siblings[same];
  const items = (data ?? []).filter((i) => i.code === code || (!i.retired && (!wanted || i[same] === wanted)));
  const options = items.map((i) => ({
    value: i.code,
    label: `${i.code} — ${isolated(i.name)}${i.retired ? ` (${t.retired})` : ''}`,
  }));
  if (code && data && !items.some((i) => i.code === code)) options.push({ value: code, label: `${code} (${t.unknownCode})` });
  return (
    <Select
      {...common(wrap)}
      data={options}
      value={code ?? null}
      onChange={(v) => onChange(v ?? undefined)}
      searchable
      clearable
      limit={200}
      nothingFoundMessage={t.nothingMatches}
      placeholder={t.search}
    />
  );
}

/** Codes of items of configuration, all of which are shown. */
export function CodesField(props: FieldProps) {
  const { data, error } = useQuery(itemsQuery(props.schema['x-casm-collection']!));
  if (error) return <TextsField {...props} />;
  const choices = (data ?? []).map(({ code, name, description, permissions }) => ({
    code,
    name,
    words: description || (Array.isArray(permissions) ? permissions.join(', ') : undefined),
  }));
  return (
    <ChecksField
      value={Array.isArray(props.value) ? (props.value as string[]) : []}
      onChange={(v) => props.onChange(v.length ? v : undefined)}
      wrap={props.wrap}
      choices={choices}
    />
  );
}

/** One of a few codes with names. */
export function NamedField({ value, onChange, wrap, options }: FieldProps & { options: { value: string; label: string }[] }) {
  const t = useTexts(parts);
  const code = typeof value === 'string' ? value : undefined;
  const all = code && !options.some((o) => o.value === code) ? [...options, { value: code, label: code }] : options;
  return (
    <Select
      {...common(wrap)}
      data={all}
      value={code ?? null}
      onChange={(v) => onChange(v ?? undefined)}
      searchable
      clearable
      nothingFoundMessage={t.nothingMatches}
    />
  );
}

const lists: Record<string, '/v1/casm/customers'> = {
  Customer: '/v1/casm/customers',
  Account: '/v1/casm/accounts' as '/v1/casm/customers',
  Subscriber: '/v1/casm/subscribers' as '/v1/casm/customers',
  OfferSubscription: '/v1/casm/subscriptions' as '/v1/casm/customers',
};

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Reference = { refId?: string; externalId?: string };

/** An entity, searched by the beginning of its external id or name, or given by its refId; below one customer if so wished. */
export function EntityField({ schema, value, onChange, wrap, within }: FieldProps & { within?: string }) {
  const t = useTexts(parts);
  const [search, setSearch] = useState('');
  const [prefix] = useDebouncedValue(search, 200);
  const path = lists[schema['x-casm-entity']!];
  const below = within && schema['x-casm-entity'] !== 'Customer' ? { customer: [within] } : {};
  const { data } = useQuery({
    queryKey: ['entities', path, prefix, below],
    enabled: path !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const get = async (query: { externalId?: string[]; customName?: string[] }) =>
        (await api.GET(path!, { params: { query: { ...below, ...query, limit: 20 } }, signal })).data?.items ?? [];
      if (!prefix) return get({});
      const found = await Promise.all([get({ externalId: [prefix] }), get({ customName: [prefix] })]);
      return [...new Map(found.flat().map((e) => [e.refId, e])).values()];
    },
  });
  const reference = value as Reference | undefined;
  const id = reference?.refId ?? reference?.externalId;
  const options = (data ?? []).map((e) => ({
    value: e.refId,
    label: [e.externalId ?? e.refId, e.customName]
      .filter(Boolean)
      .map((s) => isolated(s!))
      .join(' — '),
  }));
  const extra = uuid.test(search) ? search : id;
  if (extra && !options.some((o) => o.value === extra)) options.push({ value: extra, label: isolated(reference?.externalId ?? extra) });
  return (
    <Select
      {...common(wrap)}
      data={options}
      value={id ?? null}
      onChange={(v) => onChange(v ? (uuid.test(v) ? { refId: v } : { externalId: v }) : undefined)}
      searchable
      clearable
      searchValue={search}
      onSearchChange={setSearch}
      filter={({ options }) => options}
      nothingFoundMessage={t.nothingMatches}
      placeholder={t.search}
    />
  );
}
