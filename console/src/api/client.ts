import { QueryClient } from '@tanstack/react-query';
import createClient from 'openapi-fetch';
import type { components, paths } from './openapi';
import { Problem, problemOf } from './problem';
import { session } from './session';

export type Schemas = components['schemas'];

/**
 * The API, typed by OpenAPI. What is not answered with success is thrown as a
 * Problem, so `data` is there whenever a call returns.
 */
export const api = createClient<paths>({ baseUrl: location.origin });

api.use({
  onRequest({ request }) {
    if (session.key()) request.headers.set('Authorization', `Bearer ${session.key()}`);
    return request;
  },
  async onResponse({ response }) {
    if (response.ok) return;
    if (response.status === 401) session.refuse();
    if (response.status === 403) void session.load(); // what one may do has changed
    throw await problemOf(response);
  },
  onError({ error }) {
    return error instanceof DOMException ? error : new Problem(0, 'Network', error instanceof Error ? error.message : '');
  },
});

export const queryClient = new QueryClient({
  defaultOptions: {
    // The server may be on this machine: a browser that thinks itself offline tries all the same.
    mutations: { networkMode: 'always' },
    queries: {
      networkMode: 'always',
      staleTime: 5_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 2 && error instanceof Problem && error.passing,
    },
  },
});

session.subscribe((before, now) => {
  // What one person has read is nothing for the next.
  if (before.who?.actor !== now.who?.actor) queryClient.clear();
  else if (before.needed && !now.needed) void queryClient.resetQueries();
});

/** The version that a following If-Match is compared with. */
export function etag(response: Response): string | undefined {
  return response.headers.get('ETag') ?? undefined;
}
