import type { Group } from '../perspectives';
import type { Language } from '../texts';
import { care } from '../texts/care';
import { shell } from '../texts/shell';
import { collections } from './entities';

export function careMenu(language: Language): Group[] {
  const t = care[language];
  return [
    {
      heading: shell[language].perspectives.care,
      entries: [
        { label: t.searchPage, path: '/care/search', needs: 'casm:read' },
        ...collections.map((name) => ({ label: t.many[name], path: `/care/${name}`, needs: 'casm:read' })),
      ],
    },
  ];
}
