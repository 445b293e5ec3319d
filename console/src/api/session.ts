import { useSyncExternalStore } from 'react';
import type { components } from './openapi';
import { Problem, problemOf } from './problem';

/** Who calls, and what they may do. */
export type Caller = components['schemas']['Caller'];

/** In which ways people can sign in. */
export type Methods = components['schemas']['SignInMethods'];

/** What a call needs, such as casm:read (contract 11). */
export type Permission = string;

/** How the console stands towards the server. */
interface State {
  /** Who is signed in, or was until the session ended; none: nobody, or the server could not be asked. */
  who?: Caller;
  /** The server does not know who calls: the console asks. */
  needed: boolean;
}

/**
 * A person has a session: a cookie that no script can read. An API key, the
 * other way, stays in this tab (sessionStorage) and is forgotten with it.
 */
const path = '/v1/session';
const kept = 'casm.key';

let key = sessionStorage.getItem(kept) ?? '';
let state: State = { needed: false };
/** The tabs of this browser that show this server. */
const tabs = new BroadcastChannel('casm.session');
const listeners = new Set<(before: State, now: State) => void>();

function become(now: State) {
  const before = state;
  state = now;
  for (const listener of listeners) listener(before, now);
}

function keep(given: string) {
  key = given;
  if (given) sessionStorage.setItem(kept, given);
  else sessionStorage.removeItem(kept);
}

async function call(method: string, given: string, body?: object, at = path): Promise<Response> {
  const response = await fetch(at, {
    method,
    headers: {
      ...(given && { Authorization: `Bearer ${given}` }),
      ...(body && { 'Content-Type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
  }).catch((e: Error) => {
    throw new Problem(0, 'Network', e.message);
  });
  if (!response.ok) throw await problemOf(response);
  return response;
}

const ask = async (given: string) => (await (await call('GET', given)).json()) as Caller;

export const session = {
  key: () => key,
  /** Whether the server asks nobody who calls (--dev). */
  open: () => state.who?.dev === true,
  /** Asks the server who calls. Without an answer everything is offered, and the server refuses. */
  async load() {
    try {
      become({ who: await ask(key), needed: false });
    } catch (e) {
      if (e instanceof Problem && e.status === 401) session.refuse();
    }
  },
  /** The server answered 401: the console asks who calls. */
  refuse() {
    if (!state.needed) become({ ...state, needed: true });
  },
  /** In which ways people can sign in. Throws a Problem. */
  methods: async () => (await (await call('GET', '', undefined, `${path}/methods`)).json()) as Methods,
  /** Where the OIDC provider is asked, which leads back to a page of the console. */
  provider: (back: string) => `${path}/oidc?return=${encodeURIComponent(back)}`,
  /** Leaves for the OIDC provider, which leads back to the page that is open. */
  toProvider() {
    session.forgetKey();
    const whole = location.pathname + location.search + location.hash;
    location.assign(session.provider(whole.length > 255 ? location.pathname : whole));
  },
  /** A session takes the place of the key. */
  forgetKey: () => keep(''),
  /** Tells the other tabs, which have the session too, that it has begun. */
  announce: () => tabs.postMessage('begun'),
  /** Throws a Problem: 401 when user or password is wrong, 429 when too many were. */
  async signIn(user: string, password: string) {
    await call('POST', '', { user, password });
    keep('');
    become({ who: await ask(''), needed: false });
  },
  /** Throws a Problem: 401 when the server does not know the key. */
  async signInWithKey(given: string) {
    const who = await ask(given);
    keep(given);
    become({ who, needed: false });
  },
  /** Throws a Problem when the session may go on. */
  async signOut() {
    await call('DELETE', key);
    keep('');
    become({ needed: true });
  },
  /** Tells of each change; returns what ends that. */
  subscribe(listener: (before: State, now: State) => void) {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  },
};

tabs.onmessage = () => void session.load();

export function useSession(): State {
  return useSyncExternalStore(session.subscribe, () => state);
}

/** Whether who is signed in may do what needs a permission. What one may not do is not offered. */
export function useMay() {
  const { who } = useSession();
  return (permission: Permission | undefined) =>
    !permission || !who || who.permissions.includes(permission) || who.permissions.includes('admin');
}
