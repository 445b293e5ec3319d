import { useLocation, useParams } from '@tanstack/react-router';
import { listPage } from '../api/collections';
import type { Group } from '../perspectives';
import type { Language } from '../texts';
import { configuration } from '../texts/configuration';

type Texts = (typeof configuration)['en'];
export type Collection = keyof Texts['collections'];

const integration: [keyof Texts['headings'], Collection[]][] = [
  [
    'casm',
    [
      'account-types',
      'resource-types',
      'customer-segments',
      'account-segments',
      'subscriber-segments',
      'state-reasons',
      'customer-profiles',
      'account-profiles',
      'subscriber-profiles',
    ],
  ],
  ['platform', ['pub-sub-endpoints']],
];

const core: [keyof Texts['headings'], Collection[]][] = [
  ['general', ['currencies']],
  ['rating', ['taxes', 'gl-codes', 'charging-classes']],
  ['catalogue', ['products', 'offers']],
  ['billing', ['bill-cycles']],
];

function menu(language: Language, groups: typeof integration): Group[] {
  const t = configuration[language];
  return groups.map(([heading, collections]) => ({
    heading: t.headings[heading],
    entries: collections.map((c) => ({ label: t.collections[c].many, path: listPage(c), needs: 'config:read' })),
  }));
}

export const integrationMenu = (language: Language) => menu(language, integration);
export const coreMenu = (language: Language) => menu(language, core);

/** The collection that the page's address names, and the code of its item; none: there is no such page. */
export function useCollection(): { collection?: Collection; code: string } {
  const { collection, code = '' } = useParams({ strict: false }) as { collection: string; code?: string };
  const { pathname } = useLocation();
  const known = collection in configuration.en.collections && pathname.startsWith(listPage(collection));
  return { collection: known ? (collection as Collection) : undefined, code };
}
