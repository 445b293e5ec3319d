import type { Group } from '../perspectives';
import type { Language } from '../texts';
import { shell } from '../texts/shell';

export function operationsMenu(language: Language): Group[] {
  const name = shell[language].perspectives.operations;
  return [{ heading: name, entries: [{ label: name, path: '/operations' }] }];
}
