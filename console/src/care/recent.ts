import { type Collection, collections } from './entities';

const name = 'casm.care.recent';
const kept = 10;

export interface Recent {
  collection: Collection;
  refId: string;
}

/** What was opened lately in this tab, newest first: ids only. */
export function recents(): Recent[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(name) ?? '[]');
    if (!Array.isArray(stored)) return [];
    return stored.filter((r): r is Recent => collections.includes(r?.collection) && typeof r.refId === 'string').slice(0, kept);
  } catch {
    return []; // not ours
  }
}

export function remember(opened: Recent) {
  const rest = recents().filter((r) => r.refId !== opened.refId);
  sessionStorage.setItem(name, JSON.stringify([opened, ...rest].slice(0, kept)));
}
