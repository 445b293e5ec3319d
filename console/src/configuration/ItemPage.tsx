import { Anchor, Group, Tabs, Text } from '@mantine/core';
import { useSuspenseQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { api, etag } from '../api/client';
import { collectionPath, hasHistory, itemPath, listPage, toChange } from '../api/collections';
import { type Schema, useSchemas } from '../api/schema';
import { useMay } from '../api/session';
import type { Item } from '../form/pickers';
import { Page } from '../parts/Page';
import { NotFound } from '../shell/NotFound';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import { Delete } from './Delete';
import { History } from './History';
import { ItemForm } from './ItemForm';
import { type Collection, useCollection } from './menu';

/** An item as it stands, with the version that a change is made against. */
export interface Standing {
  item: Item;
  version?: string;
}

export async function readItem(collection: string, code: string): Promise<Standing> {
  const { data, response } = await api.GET(itemPath(collection), { params: { path: { code } } });
  return { item: data as Item, version: etag(response) };
}

export function NewPage() {
  const t = useTexts(configuration);
  const { collection } = useCollection();
  const schemas = useSchemas();
  const schema = collection && schemas.ofRequest(collectionPath(collection), 'post');
  if (!schema) return <NotFound />;
  return (
    <Page title={t.createOne(t.collections[collection].one)}>
      <Back collection={collection} />
      <ItemForm key={collection} collection={collection} schema={schema} />
    </Page>
  );
}

export function ItemPage() {
  const { collection, code } = useCollection();
  const schemas = useSchemas();
  if (!collection) return <NotFound />;
  // What cannot be replaced is only shown, with all that is told of it.
  const replaced = schemas.ofRequest(itemPath(collection), 'put');
  const schema = replaced ?? schemas.ofItems(collectionPath(collection));
  if (!schema) return <NotFound />;
  return <Existing key={`${collection}/${code}`} collection={collection} code={code} schema={schema} final={!replaced} />;
}

interface ExistingProps {
  collection: Collection;
  code: string;
  schema: Schema;
  final: boolean;
}

function Existing({ collection, code, schema, final }: ExistingProps) {
  const t = useTexts(configuration);
  const may = useMay()(toChange(collection));
  const { data } = useSuspenseQuery({
    queryKey: ['config', collection, code],
    queryFn: () => readItem(collection, code),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY, // what is being edited is not replaced behind the editor's back
  });
  const { item } = data;
  const ended = item.builtIn === true || item.revoked === true;
  const form = <ItemForm collection={collection} schema={schema} standing={data} readOnly={final || ended || !may} />;
  return (
    <Page title={item.name} actions={may && !ended && <Delete collection={collection} standing={data} />}>
      <Back collection={collection}>
        <Text span size="sm" c="dimmed">
          {t.collections[collection].one} <bdi>{code}</bdi>, {t.version} {item.version}
          {item.builtIn === true && `. ${t.builtIn}`}
          {item.revoked === true && `. ${t.revoked}`}
        </Text>
      </Back>
      {hasHistory(collection) ? (
        <Tabs defaultValue="details" keepMounted>
          <Tabs.List mb="md">
            <Tabs.Tab value="details">{t.details}</Tabs.Tab>
            <Tabs.Tab value="history">{t.history}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="details">{form}</Tabs.Panel>
          <Tabs.Panel value="history">
            <History collection={collection} code={code} schema={schema} version={data.version} />
          </Tabs.Panel>
        </Tabs>
      ) : (
        form
      )}
    </Page>
  );
}

function Back({ collection, children }: { collection: Collection; children?: ReactNode }) {
  const t = useTexts(configuration);
  return (
    <Group gap="0 1rem" mb="md" mt={-8}>
      <Anchor component={Link} to={listPage(collection)} size="sm">
        ‹ {t.back(t.collections[collection].many)}
      </Anchor>
      {children}
    </Group>
  );
}
