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
    entries: collections.map((c) => ({ label: t.collections[c].many, path: `/configuration/${c}` })),
  }));
}

export const integrationMenu = (language: Language) => menu(language, integration);
export const coreMenu = (language: Language) => menu(language, core);

export const listPage = (collection: Collection) => `/configuration/${collection}`;
export const newPage = (collection: Collection) => `/configuration/${collection}/new`;
/** Codes need no escaping: they are letters, digits and _ . - only. */
export const itemPage = (collection: Collection, code: string) => `/configuration/${collection}/items/${code}`;
