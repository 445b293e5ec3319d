/** What the addresses of these pages hold beside the path: whatever is typed there is text, or nothing. */

type Search = Record<string, unknown>;

const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : undefined) || undefined;

function texts(value: unknown): string[] | undefined {
  const list = (Array.isArray(value) ? value : [value]).flatMap((v) => text(v) ?? []);
  return list.length ? list : undefined;
}

function instant(value: unknown): string | undefined {
  const given = text(value);
  return given && /^\d{4}-\d\d-\d\dT/.test(given) && !Number.isNaN(Date.parse(given)) ? given : undefined;
}

export const searchSearch = (search: Search) => ({ q: text(search.q) });

/** The filters of a list, as the API calls them; `attribute` is key=value, `planned` means any plan. */
export const listSearch = (search: Search) => ({
  customName: text(search.customName),
  externalId: text(search.externalId),
  state: texts(search.state),
  segment: texts(search.segment),
  offer: texts(search.offer),
  attribute: text(search.attribute),
  planned: search.planned === true || undefined,
  test: typeof search.test === 'boolean' ? search.test : undefined,
  customer: text(search.customer),
  account: text(search.account),
  subscriber: text(search.subscriber),
});

export type Filters = ReturnType<typeof listSearch>;

export const tabs = ['details', 'timeLine', 'histories'] as const;
export type Tab = (typeof tabs)[number];

/** `asOf` shows a past time; `whole` is the time line of the whole customer. */
export const pageSearch = (search: Search) => ({
  asOf: instant(search.asOf),
  tab: tabs.find((tab) => tab === search.tab && tab !== 'details'),
  whole: search.whole === true || undefined,
});

export type PageSearch = ReturnType<typeof pageSearch>;

/** key=value taken apart. */
export function attributeOf(given: string | undefined): { key: string; value: string } | undefined {
  const at = given?.indexOf('=') ?? -1;
  return at > 0 && at < given!.length - 1 ? { key: given!.slice(0, at), value: given!.slice(at + 1) } : undefined;
}
