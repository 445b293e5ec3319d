import type { Group } from '../perspectives';
import type { Language } from '../texts';
import { operations } from '../texts/operations';

export function operationsMenu(language: Language): Group[] {
  const { pages, headings } = operations[language];
  return [
    {
      heading: headings.watch,
      entries: [
        { label: pages.transactions, path: '/operations/transactions' },
        { label: pages.browse, path: '/operations/journal' },
        { label: pages.warehouse, path: '/operations/warehouse' },
        { label: pages.health, path: '/operations/health' },
      ],
    },
    { heading: headings.configuration, entries: [{ label: pages.transfer, path: '/operations/transfer' }] },
  ];
}
