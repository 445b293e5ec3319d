import { useSyncExternalStore } from 'react';

/**
 * Who calls. Without --dev the API needs a key; it stays in this tab
 * (sessionStorage) and is forgotten with it. Sign-in of people will set a
 * session here instead.
 */
const name = 'casm.key';

let key = sessionStorage.getItem(name) ?? '';
let refused = false;
const listeners = new Set<() => void>();

function changed() {
  for (const listener of listeners) listener();
}

export const session = {
  key: () => key,
  /** The server answered 401: the console asks for a key. */
  refuse() {
    if (refused) return;
    refused = true;
    changed();
  },
  signIn(given: string) {
    key = given;
    refused = false;
    sessionStorage.setItem(name, given);
    changed();
  },
  signOut() {
    key = '';
    refused = true;
    sessionStorage.removeItem(name);
    changed();
  },
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether a key must be asked for, and whether one is in use. */
export function useSession() {
  const needed = useSyncExternalStore(subscribe, () => refused);
  const signedIn = useSyncExternalStore(subscribe, () => key !== '');
  return { needed, signedIn };
}
