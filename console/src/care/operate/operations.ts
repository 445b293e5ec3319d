import type { Schemas } from '../../api/client';
import type { Operation, Schema } from '../../api/schema';

/** Kinds of entities that operations name, as their bodies do. */
export type Kind = 'customer' | 'account' | 'subscriber' | 'subscription';

/** What operations need to know of an entity as it was read; the rest of it is there too. */
export interface Entity {
  refId: string;
  version: number;
  externalId?: string;
  customName?: string;
  state: Schemas['State'];
  plannedState?: Schemas['State'];
  plannedBillCycle?: Schemas['PlannedBillCycle'];
  customer?: Schemas['Reference'];
  services?: Schemas['Service'][];
}

export type Values = Record<string, unknown>;

/** The answer to a write, whatever its payload is. */
export type Transaction = Omit<Schemas['CustomerTransaction'], 'payload'> & { payload: Values };

export const kinds = { customer: 'Customer', account: 'Account', subscriber: 'Subscriber', subscription: 'OfferSubscription' };

/** The member of the body that names the entity: its kind, or what it is put below. None: the operation does not apply. */
export function memberFor({ schema }: Operation, kind: Kind): string | undefined {
  const refers = (member: string) => schema.properties?.[member]?.['x-casm-entity'] === kinds[kind];
  const named = (Object.keys(kinds) as Kind[]).filter((k) => schema.required?.includes(k));
  if (named.length) return named.includes(kind) && refers(kind) ? kind : undefined;
  return [kind, 'parent'].find(refers);
}

/** What an operation needs that it can be done at all. */
function possible({ path }: Operation, entity: Entity): boolean {
  if (/\/state\/(confirm|cancel)$/.test(path)) return entity.plannedState !== undefined;
  if (/\/bill-cycle\/(cancel|perform)$/.test(path)) return entity.plannedBillCycle !== undefined;
  return true;
}

const groups = ['state', 'attributes', 'resources', 'balances', 'create', 'individual'] as const;
export type Group = (typeof groups)[number];

function groupOf({ id, path }: Operation): Group {
  if (path.includes('/state/')) return 'state';
  if (path.includes('/individual/')) return 'individual';
  if (path.includes('/resources/')) return 'resources';
  if (path.includes('/subscriptions/balance')) return 'balances';
  return id.startsWith('create') ? 'create' : 'attributes';
}

/** The operations that apply to an entity, grouped. */
export function offered(all: Operation[], kind: Kind, entity: Entity): { group: Group; operations: Operation[] }[] {
  const mine = all.filter((o) => memberFor(o, kind) !== undefined && possible(o, entity));
  return groups.map((group) => ({ group, operations: mine.filter((o) => groupOf(o) === group) })).filter((g) => g.operations.length > 0);
}

/** Where the members of a body come from that are no field of its form. */
export function givenMembers(operation: Operation, kind: Kind | undefined): string[] {
  const members = ['requestId', 'transactionId'];
  const named = kind && memberFor(operation, kind);
  if (!named) return members;
  // Another owner cannot stand beside the one that is named.
  const owners = ['customer', 'account', 'subscriber'].filter((m) => operation.schema.properties?.[m]?.['x-casm-entity']);
  return [...members, named, ...owners];
}

function nullable(schema: Schema): boolean {
  return (Array.isArray(schema.type) && schema.type.includes('null')) || (schema.anyOf?.some((s) => s.type === 'null') ?? false);
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** What an update begins with: what stands now. */
export function prefill({ path, schema }: Operation, entity: Entity | undefined): Values {
  if (!entity || !path.endsWith('/update') || path.includes('/state/') || path.includes('/balance')) return {};
  const now: Values = { ...entity };
  return Object.fromEntries(Object.keys(schema.properties ?? {}).flatMap((m) => (now[m] === undefined ? [] : [[m, now[m]]])));
}

/**
 * The body of a request: of an update what differs from what stood, and null
 * for what was emptied; what must be present always.
 */
export function bodyOf({ schema }: Operation, given: string[], values: Values, stood: Values): Values {
  const body: Values = {};
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (given.includes(name)) continue;
    const required = schema.required?.includes(name);
    const value = values[name];
    if (value === undefined) {
      if (stood[name] !== undefined || (required && nullable(member))) body[name] = null;
    } else if (required || !same(value, stood[name])) body[name] = value;
  }
  if (body.merge === true && body.customAttributes !== undefined)
    body.customAttributes = merged(values.customAttributes, stood.customAttributes);
  return body;
}

/** The keys that differ; those that are gone as null. */
function merged(value: unknown, stood: unknown): Values {
  const [now, before] = [(value ?? {}) as Values, (stood ?? {}) as Values];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((k) => now[k] !== before[k]);
  return Object.fromEntries(keys.map((k) => [k, now[k] ?? null]));
}

/** What was typed, over what stands now: members that nobody touched follow. */
export function rebased(values: Values, stood: Values, now: Values): Values {
  const touched = Object.keys(values).filter((m) => !same(values[m], stood[m]));
  const emptied = Object.keys(stood).filter((m) => values[m] === undefined);
  const next: Values = { ...now };
  for (const m of touched) next[m] = values[m];
  for (const m of emptied) delete next[m];
  return next;
}
