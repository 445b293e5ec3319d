import { api } from '../api/client';
import { asProblem, Problem } from '../api/problem';

/** A message of the feed, with the headers of the stream. */
export interface Item {
  position: string;
  transactionId: string;
  requestId?: string;
  operation: string;
  messageCode: string;
  event: string;
  timestamp: string;
  actor?: string;
  comment?: string;
  payload: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** What the server filters by. */
export interface Filter {
  customer?: string;
  messageCode?: string;
}

export const messageCodes = ['customer', 'account', 'subscriber', 'subscriberResource', 'offerSubscription', 'balance'] as const;

/** A page of the feed behind a position, and the log's last transaction. */
export async function readFeed(after: string, limit: number, filter: Filter = {}, signal?: AbortSignal) {
  const query = { after, limit, headers: true, ...(filter as { customer?: string; messageCode?: (typeof messageCodes)[number] }) };
  const { data } = await api.GET('/v1/business-transactions', { params: { query }, signal });
  return data as unknown as { items: Item[]; head: number };
}

/** The position behind all messages of a transaction: ordinals stay below this. */
export function behind(transaction: number): string {
  return transaction > 0 ? `${transaction}-2147483647` : '0';
}

/** The position before a message. */
export function before(position: string): string {
  const [transaction, ordinal] = position.split('-').map(Number) as [number, number];
  return ordinal > 0 ? `${transaction}-${ordinal - 1}` : behind(transaction - 1);
}

/** An event of a stream of server-sent events; data is missing where only the id is told. */
export interface ServerSent {
  id?: string;
  data?: string;
}

/** Takes a stream of server-sent events apart; alive is called with whatever comes, comments included. */
export async function* events(body: ReadableStream<Uint8Array>, alive: () => void = () => {}): AsyncGenerator<ServerSent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  try {
    for (let text = ''; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      text += value;
      const ended = text.split('\n\n');
      text = ended.pop()!;
      for (const block of ended) {
        const event: ServerSent = {};
        for (const line of block.split('\n')) {
          const [, name, content] = /^(id|data): ?(.*)$/.exec(line) ?? [];
          if (name === 'id') event.id = content;
          if (name === 'data') event.data = event.data === undefined ? content : `${event.data}\n${content}`;
        }
        if (event.id !== undefined || event.data !== undefined) yield event;
      }
    }
  } finally {
    void reader.cancel().catch(() => {}); // it may have failed already
  }
}

/** How the live stream is. */
export type Connection =
  { state: 'connecting' | 'live' } | { state: 'away'; problem: Problem; retryAt: number } | { state: 'refused'; problem: Problem };

// The server sends a comment at least each 15 s.
const silence = 40_000;
const firstPause = 500;
const longestPause = 15_000;

export interface Follow {
  filter: Filter;
  /** Behind which position to begin. */
  start(signal: AbortSignal): Promise<string>;
  item(item: Item, size: number): void;
  connection(connection: Connection): void;
}

/**
 * Follows the business transactions live until closed. EventSource cannot show
 * a key, so the stream is read with fetch. When it breaks it is resumed behind
 * the last message, after pauses that grow; now() ends such a pause.
 */
export function follow({ filter, start, item, connection }: Follow) {
  const closed = new AbortController();
  let last = '';
  let wake = () => {};

  async function once(reached: () => void) {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    closed.signal.addEventListener('abort', abort);
    let timer = setTimeout(abort, silence);
    try {
      last ||= await start(attempt.signal);
      const { data } = await api.GET('/v1/business-transactions/stream', {
        params: { query: { headers: true, ...(filter as object) }, header: { 'Last-Event-ID': last } },
        parseAs: 'stream',
        signal: attempt.signal,
      });
      reached();
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(abort, silence);
      };
      for await (const event of events(data as unknown as ReadableStream<Uint8Array>, alive)) {
        if (event.id) last = event.id;
        if (event.data) item(JSON.parse(event.data) as Item, event.data.length);
      }
    } finally {
      clearTimeout(timer);
      closed.signal.removeEventListener('abort', abort);
    }
  }

  async function run() {
    connection({ state: 'connecting' });
    for (let pause = firstPause; !closed.signal.aborted; pause = Math.min(pause * 2, longestPause)) {
      let problem = new Problem(0, 'Network', '');
      try {
        await once(() => {
          pause = firstPause / 2;
          connection({ state: 'live' });
        });
      } catch (error) {
        // A body that breaks off is the network's matter, too.
        if (error instanceof Problem || error instanceof SyntaxError) problem = asProblem(error);
      }
      if (closed.signal.aborted) return;
      if (problem.status === 400 || problem.status === 403 || problem.status === 404 || problem.status < 0) {
        connection({ state: 'refused', problem });
        return;
      }
      const wait = Math.max(pause, firstPause);
      connection({ state: 'away', problem, retryAt: Date.now() + wait });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const now = () => wake();
  window.addEventListener('online', now);
  void run();
  return {
    now,
    close() {
      closed.abort();
      window.removeEventListener('online', now);
      wake();
    },
  };
}
