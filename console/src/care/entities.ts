import { type QueryClient, queryOptions } from '@tanstack/react-query';
import { api, type Schemas } from '../api/client';
import type { Kind } from './operate';

/** The collections of the API, and the kind of each one's entities. */
export const kinds = {
  customers: 'customer',
  accounts: 'account',
  subscribers: 'subscriber',
  subscriptions: 'subscription',
} as const satisfies Record<string, Kind>;

export type Collection = keyof typeof kinds;

export const collections = Object.keys(kinds) as Collection[];

/** The collection of an entity's type, as schemas and messages name it. */
export const collectionOf: Record<string, Collection | undefined> = {
  Customer: 'customers',
  Account: 'accounts',
  Subscriber: 'subscribers',
  OfferSubscription: 'subscriptions',
};

/** The name of a collection's schema. */
export const typeOfCollection: Record<Collection, string> = {
  customers: 'Customer',
  accounts: 'Account',
  subscribers: 'Subscriber',
  subscriptions: 'OfferSubscription',
};

export type Reference = Schemas['Reference'];
export type Resource = Schemas['SubscriberResource'];
export type Balance = Schemas['Balance'];

type Common = Pick<
  Schemas['Account'],
  'refId' | 'version' | 'externalId' | 'customName' | 'customAttributes' | 'state' | 'plannedState' | 'createdAt' | 'updatedAt'
>;

/** An entity of any kind, with the lists below it where they were asked for. */
export interface Entity extends Common {
  testCustomer?: boolean;
  testAccount?: boolean;
  customer?: Reference;
  account?: Reference;
  subscriber?: Reference;
  parent?: Reference;
  plannedBillCycle?: Schemas['PlannedBillCycle'];
  offer?: string;
  services?: Schemas['Service'][];
  accounts?: Entity[];
  accountsTruncated?: boolean;
  subordinates?: Entity[];
  subordinatesTruncated?: boolean;
  subscribers?: Entity[];
  subscribersTruncated?: boolean;
  offers?: Entity[];
  offersTruncated?: boolean;
  resources?: Resource[];
  balances?: Balance[];
}

export type TimeLineEntry = Schemas['TimeLineEntry'];

/** What stands below an entity, as its read includes it. */
const below: Record<Collection, Record<string, true>> = {
  customers: { accounts: true, offers: true },
  accounts: { subordinates: true, subscribers: true, offers: true },
  subscribers: { resources: true, offers: true },
  subscriptions: { balances: true },
};

/** The histories that a read of the collection can include. */
export const histories: Record<Collection, string[]> = {
  customers: ['stateHistory', 'segmentHistory'],
  accounts: ['stateHistory', 'segmentHistory', 'billCycleHistory', 'parentHistory'],
  subscribers: ['stateHistory', 'segmentHistory'],
  subscriptions: ['stateHistory'],
};

/** The path of a collection's operation. All have one shape, so that of one of them stands for the type. */
export function readPath(collection: Collection) {
  return `/v1/casm/${collection}/read` as '/v1/casm/customers/read';
}

export function listPath(collection: Collection) {
  return `/v1/casm/${collection}` as '/v1/casm/customers';
}

/** An entity, now or as it was, with what stands directly below it. */
export function entityQuery(collection: Collection, refId: string, asOf?: string) {
  return queryOptions({
    queryKey: [collection, 'read', refId, asOf ?? 'now'],
    queryFn: async ({ signal }) =>
      (await api.GET(readPath(collection), { params: { query: { refId, asOf, ...below[collection] } }, signal })).data as Entity,
  });
}

/** A reference, and where it leads. */
export interface Place extends Reference {
  collection: Collection;
}

/** What stands directly above an entity. */
export function above(collection: Collection, { subscriber, account, parent, customer }: Entity): Place | undefined {
  if (collection === 'subscriptions' && subscriber) return { collection: 'subscribers', ...subscriber };
  if (collection !== 'accounts' && account) return { collection: 'accounts', ...account };
  if (collection === 'accounts' && parent) return { collection: 'accounts', ...parent };
  return customer && { collection: 'customers', ...customer };
}

/** An entity's place: from the customer down to itself. */
export function pathQuery(client: QueryClient, collection: Collection, refId: string, asOf?: string) {
  return queryOptions({
    queryKey: [collection, 'path', refId, asOf ?? 'now'],
    queryFn: async () => {
      const path: Place[] = [{ collection, refId }];
      for (;;) {
        const top = path[0]!;
        const next = above(top.collection, await client.fetchQuery(entityQuery(top.collection, top.refId, asOf)));
        if (!next) return path;
        path.unshift(next);
      }
    },
  });
}

/** What an entity is called: its name, else its external id, else its offer, else its refId. */
export function nameOf(entity: Entity, offers?: Map<string, string>): string {
  return entity.customName ?? (entity.offer && offers?.get(entity.offer)) ?? entity.externalId ?? entity.offer ?? entity.refId;
}

export const isTest = (entity: Entity) => entity.testCustomer === true || entity.testAccount === true;
