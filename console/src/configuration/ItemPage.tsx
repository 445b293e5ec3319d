import { Anchor, Tabs, Text } from '@mantine/core';
import { useSuspenseQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { api, etag } from '../api/client';
import { type Schema, useSchemas } from '../api/schema';
import { collectionPath, type Item } from '../form/pickers';
import { Page } from '../parts/Page';
import { NotFound } from '../shell/NotFound';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import { Delete } from './Delete';
import { History } from './History';
import { ItemForm } from './ItemForm';
import { type Collection, listPage } from './menu';

/** An item as it stands, with the version that a change is made against. */
export interface Standing {
  item: Item;
  version?: string;
}

export async function readItem(collection: string, code: string): Promise<Standing> {
  const { data, response } = await api.GET(itemPath(collection), { params: { path: { code } } });
  return { item: data as Item, version: etag(response) };
}

export function itemPath(collection: string) {
  return `${collectionPath(collection)}/{code}` as '/v1/config/account-types/{code}';
}

function useCollection() {
  const { collection, code } = useParams({ strict: false }) as { collection: Collection; code?: string };
  const t = useTexts(configuration);
  const schema = useSchemas().ofRequest(`/v1/config/${collection}`, 'post');
  const names = t.collections[collection];
  return { collection, code: code ?? '', schema: names && schema, names, t };
}

export function NewPage() {
  const { collection, schema, names, t } = useCollection();
  if (!schema) return <NotFound />;
  return (
    <Page title={t.createOne(names.one)}>
      <Back collection={collection} />
      <ItemForm key={collection} collection={collection} schema={schema} />
    </Page>
  );
}

export function ItemPage() {
  const { collection, code, schema } = useCollection();
  if (!schema) return <NotFound />;
  return <Existing key={`${collection}/${code}`} collection={collection} code={code} schema={schema} />;
}

function Existing({ collection, code, schema }: { collection: Collection; code: string; schema: Schema }) {
  const t = useTexts(configuration);
  const { data } = useSuspenseQuery({
    queryKey: ['config', collection, code],
    queryFn: () => readItem(collection, code),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY, // what is being edited is not replaced behind the editor's back
  });
  return (
    <Page title={data.item.name} actions={<Delete collection={collection} standing={data} />}>
      <Back collection={collection}>
        <Text span size="sm" c="dimmed">
          {t.collections[collection].one} <bdi>{code}</bdi>, {t.version} {data.item.version}
        </Text>
      </Back>
      <Tabs defaultValue="details" keepMounted>
        <Tabs.List mb="md">
          <Tabs.Tab value="details">{t.details}</Tabs.Tab>
          <Tabs.Tab value="history">{t.history}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="details">
          <ItemForm collection={collection} schema={schema} standing={data} />
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <History collection={collection} code={code} schema={schema} version={data.version} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Back({ collection, children }: { collection: Collection; children?: ReactNode }) {
  const t = useTexts(configuration);
  return (
    <Text size="sm" mb="md" mt={-8}>
      <Anchor component={Link} to={listPage(collection)} size="sm" mr="md">
        ‹ {t.back(t.collections[collection].many)}
      </Anchor>
      {children}
    </Text>
  );
}
