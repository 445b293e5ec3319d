import type { Group } from '../perspectives';
import type { Language } from '../texts';
import { shell } from '../texts/shell';

export function careMenu(language: Language): Group[] {
  const name = shell[language].perspectives.care;
  return [{ heading: name, entries: [{ label: name, path: '/care' }] }];
}
