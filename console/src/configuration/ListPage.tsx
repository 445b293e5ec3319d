import { useParams } from '@tanstack/react-router';
import { Page } from '../parts/Page';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import type { Collection } from './menu';

export function ListPage() {
  const { collection } = useParams({ strict: false }) as { collection: Collection };
  const t = useTexts(configuration);
  return <Page title={t.collections[collection].many}>{null}</Page>;
}
