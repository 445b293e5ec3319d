import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { behind, type Connection, type Filter, follow, type Item, readFeed } from './feed';

// What the page keeps at most: messages, and the characters of their texts.
export const most = 1_000;
const mostSize = 16 << 20;
// How many transactions before now are shown at first, and how often new ones are.
const first = 50;
const refresh = 100;

interface Kept {
  item: Item;
  size: number;
}

/** What is shown. */
export interface View {
  /** The oldest first. */
  items: readonly Item[];
  paused: boolean;
  /** How many came since the pause. */
  waiting: number;
  connection: Connection;
}

/** Keeps what comes live, and no more than it may. */
class Live {
  private kept: Kept[] = [];
  private came: Kept[] = []; // while paused
  private since = ''; // the position before the oldest kept
  private timer: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<() => void>();
  private view: View = { items: [], paused: false, waiting: 0, connection: { state: 'connecting' } };
  private feed: ReturnType<typeof follow> | undefined;

  /** Begins anew where what was shown began: another filter shows others of the same messages. */
  start(filter: Filter) {
    this.kept = [];
    this.came = [];
    this.set({ items: [], paused: false, waiting: 0 });
    this.feed = follow({
      filter,
      start: async (signal) => {
        this.since ||= behind((await readFeed('0', 1, {}, signal)).head - first);
        return this.since;
      },
      item: (item, size) => this.take({ item, size }),
      connection: (connection) => this.set({ connection }),
    });
  }

  stop() {
    this.feed?.close();
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  retry = () => this.feed?.now();

  pause = (paused: boolean) => {
    if (!paused) {
      this.kept.push(...this.came);
      this.came = [];
      this.trim(this.kept);
    }
    this.set({ paused, waiting: 0, items: this.kept.map((k) => k.item) });
  };

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = () => this.view;

  private take(kept: Kept) {
    const into = this.view.paused ? this.came : this.kept;
    into.push(kept);
    this.trim(into);
    if (this.view.paused) this.view = { ...this.view, waiting: this.view.waiting + 1 };
    // Many may come at once; the page is drawn once for them.
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.set(this.view.paused ? {} : { items: this.kept.map((k) => k.item) });
    }, refresh);
  }

  private trim(list: Kept[]) {
    let size = list.reduce((n, k) => n + k.size, 0);
    let drop = 0;
    while (list.length - drop > most || (size > mostSize && drop < list.length - 1)) size -= list[drop++]!.size;
    if (drop > 0) this.since = list[drop - 1]!.item.position;
    list.splice(0, drop);
  }

  private set(part: Partial<View>) {
    this.view = { ...this.view, ...part };
    for (const listener of this.listeners) listener();
  }
}

/** The business transactions as they happen. */
export function useLive(filter: Filter) {
  const [live] = useState(() => new Live());
  const view = useSyncExternalStore(live.subscribe, live.snapshot);
  const key = JSON.stringify(filter);
  const latest = useRef(filter);
  latest.current = filter;
  // key stands for the filter
  useEffect(() => {
    live.start(latest.current);
    return () => live.stop();
  }, [live, key]);
  return { ...view, pause: live.pause, retry: live.retry };
}
