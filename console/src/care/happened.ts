import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, queryClient, type Schemas } from '../api/client';
import type { Change } from '../parts/changes';
import { type Collection, collectionOf } from './entities';

/** What a business transaction did to one entity. */
export interface Touched {
  messageCode?: string;
  event?: string;
  refId: string;
  name?: string;
  collection?: Collection;
  version: number;
  changes: Change[];
}

/** A business transaction as the time line shows it. */
export interface Happened {
  transactionId: string;
  requestId?: string;
  operation: string;
  timestamp: string;
  actor?: string;
  comment?: string;
  touched: Touched[];
}

function historyPath(collection: Collection) {
  return `/v1/casm/${collection}/history` as '/v1/casm/customers/history';
}

/** What happened to one entity, newest first. */
export function historyQuery(collection: Collection, refId: string) {
  return infiniteQueryOptions({
    queryKey: [collection, 'history', refId],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET(historyPath(collection), { params: { query: { refId, limit: 50, cursor: pageParam } }, signal });
      const items = (data?.items ?? []).map(({ version, changes, ...item }): Happened => ({
        ...item,
        touched: [{ refId, collection, version, changes: told(changes) }],
      }));
      return { items, next: data?.nextCursor };
    },
    getNextPageParam: (last) => last.next,
  });
}

/** What tells nothing to people: ids and times that each version has of its own. */
const silent =
  /^\/(refId|version|createdAt|updatedAt|transactionId|operation|comment)$|\/transactionId$|^\/(customer|account|subscriber|parent|offerSubscription|parentOfferSubscription)\/refId$/;

const told = (changes: Change[]) => changes.filter((c) => !silent.test(c.pointer));

type Message = Schemas['FeedItem'] & { payload: Record<string, unknown> };

/** The messages of a customer from the first on, as far as they were read. */
export interface Feed {
  messages: Message[];
  position?: string;
  /** Whether these are all there are for now. */
  whole: boolean;
}

const pageSize = 1000;
/** How many pages are read before the reader is asked. */
const atOnce = 20;

/**
 * Everything that happened to a customer and all below. The feed goes from the
 * first message on; a later reading goes on where the last one ended.
 */
export function feedQuery(customer: string, progress: (n: number) => void) {
  const queryKey = ['feed', customer];
  return queryOptions({
    queryKey,
    staleTime: 5_000,
    queryFn: async ({ signal }): Promise<Feed> => {
      const read = queryClient.getQueryData<Feed>(queryKey);
      const messages = [...(read?.messages ?? [])];
      let position = read?.position;
      for (let page = 0; page < atOnce; page++) {
        const { data } = await api.GET('/v1/business-transactions', {
          params: { query: { customer, after: position, limit: pageSize } },
          signal,
        });
        const items = (data?.items ?? []) as Message[];
        messages.push(...items);
        position = items[items.length - 1]?.position ?? position;
        if (items.length === 0) return { messages, position, whole: true };
        progress(messages.length);
      }
      return { messages, position, whole: false };
    },
  });
}

const codes: Record<string, string> = {
  customer: 'Customer',
  account: 'Account',
  subscriber: 'Subscriber',
  offerSubscription: 'OfferSubscription',
};

/** The messages by business transaction, newest first, each with what it changed against the one before. */
export function transactionsOf(messages: Message[]): Happened[] {
  const last = new Map<string, Record<string, unknown>>();
  const all = new Map<string, Happened>();
  for (const { messageCode, event, payload, transactionId, requestId, operation, timestamp, actor, comment } of messages) {
    const refId = String(payload.refId);
    const one = all.get(transactionId) ?? { transactionId, requestId, operation, timestamp, actor, comment, touched: [] };
    all.set(transactionId, one);
    // A threshold's message repeats the version before it.
    const changes =
      event === 'thresholdReached' ? [{ pointer: '/threshold', to: payload.threshold }] : told(changesOf(last.get(refId), payload));
    one.touched.push({
      messageCode,
      event,
      refId,
      name: nameIn(payload),
      collection: collectionOf[codes[messageCode] ?? ''],
      version: Number(payload.version),
      changes,
    });
    last.set(refId, payload);
  }
  return [...all.values()].reverse();
}

function nameIn(p: Record<string, unknown>): string | undefined {
  return [p.customName, p.resource, p.service, p.externalId, p.offer].find((v): v is string => typeof v === 'string');
}

/** What differs between two versions, member by member. */
function changesOf(from: unknown, to: unknown, pointer = ''): Change[] {
  if (isObject(from) || isObject(to)) {
    const [a, b] = [isObject(from) ? from : {}, isObject(to) ? to : {}];
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
      changesOf(a[key], b[key], `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
    );
  }
  return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ pointer, from, to }];
}

function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}
