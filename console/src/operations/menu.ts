import { access, listPage, toChange } from '../api/collections';
import type { Group } from '../perspectives';
import type { Language } from '../texts';
import { configuration } from '../texts/configuration';
import { operations } from '../texts/operations';

export function operationsMenu(language: Language): Group[] {
  const { pages, headings } = operations[language];
  const { collections } = configuration[language];
  return [
    {
      heading: headings.watch,
      entries: [
        { label: pages.transactions, path: '/operations/transactions', needs: 'stream:read' },
        { label: pages.browse, path: '/operations/journal', needs: 'stream:read' },
        { label: pages.warehouse, path: '/operations/warehouse', needs: 'dwh:read' },
        { label: pages.health, path: '/operations/health' },
      ],
    },
    { heading: headings.configuration, entries: [{ label: pages.transfer, path: '/operations/transfer', needs: 'config:read' }] },
    {
      heading: headings.access,
      entries: [
        ...access.map((c) => ({ label: collections[c].many, path: listPage(c), needs: toChange(c) })),
        { label: pages.audit, path: '/operations/access/audit', needs: 'admin' },
      ],
    },
  ];
}
