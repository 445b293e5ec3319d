import type { Permission } from './session';

/** Who may call: administered as configuration is, below a path of its own. */
export const access = ['users', 'roles', 'keys'] as const;

const isAccess = (collection: string) => (access as readonly string[]).includes(collection);

/** The path of a collection. All have one shape, so that of one of them stands for the type. */
export function collectionPath(collection: string) {
  return `/v1/${isAccess(collection) ? 'admin' : 'config'}/${collection}` as '/v1/config/account-types';
}

export function itemPath(collection: string) {
  return `${collectionPath(collection)}/{code}` as '/v1/config/account-types/{code}';
}

/** The page of a collection. */
export const listPage = (collection: string) => `/${isAccess(collection) ? 'operations/access' : 'configuration'}/${collection}`;
export const newPage = (collection: string) => `${listPage(collection)}/new`;
/** Codes need no escaping: they are letters, digits and _ . @ - only. */
export const itemPage = (collection: string, code: string) => `${listPage(collection)}/items/${code}`;

/** What a change of its items needs. */
export const toChange = (collection: string): Permission => (isAccess(collection) ? 'admin' : 'config:write');

/** Whether the versions of its items can be read. */
export const hasHistory = (collection: string) => !isAccess(collection);
