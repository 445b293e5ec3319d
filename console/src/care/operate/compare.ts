import type { Schemas } from '../../api/client';
import { formatDecimal } from '../../form/decimal';
import { amountOf } from './amounts';
import type { Values } from './operations';

/** One leaf of an entity that is not what it was. */
export interface Difference {
  path: string[];
  from?: unknown;
  to?: unknown;
}

/** Members that tell nothing to people, or that a read adds. */
const silent = /^(refId|version|createdAt|updatedAt|transactionId)$|Truncated$|History$/;

type Catalogue = Schemas['ServiceSpec'][];

/** Money and percentages as people read them. */
function readable(value: unknown, type: string | undefined): unknown {
  if (typeof value !== 'number') return value;
  if (type === 'money') return formatDecimal(value, 6);
  if (type === 'percentage') return `${formatDecimal(value, 4)} %`;
  return value;
}

function flatten(value: unknown, catalogue: Catalogue, path: string[] = [], into = new Map<string, { path: string[]; value: unknown }>()) {
  const put = (p: string[], v: unknown) => into.set(p.join('\n'), { path: p, value: v });
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) flatten(item, catalogue, [...path, nameOf(item) ?? String(i + 1)], into);
  } else if (value !== null && typeof value === 'object') {
    const object = value as Values;
    if (path.length && 'refId' in object && Object.keys(object).every((k) => k === 'refId' || k === 'externalId')) {
      put(path, object.externalId ?? object.refId);
      return into;
    }
    const spec = catalogue.find((s) => s.kind === object.kind);
    for (const [name, member] of Object.entries(object)) {
      if (silent.test(name)) continue;
      if (name === 'attributes' && spec) {
        for (const [a, v] of Object.entries(member as Values))
          put([...path, a], readable(v, spec.attributes.find((s) => s.name === a)?.type));
      } else if (typeof member === 'number' && name.endsWith('Balance')) {
        put([...path, name], amountOf(object, member));
      } else flatten(member, catalogue, [...path, name], into);
    }
  } else if (value !== undefined && value !== null) put(path, value);
  return into;
}

/** Items are told apart by their service where they have one. */
function nameOf(item: unknown): string | undefined {
  const service = (item as Values | null)?.service;
  return typeof service === 'string' ? service : undefined;
}

/** What differs between an entity and what becomes of it. Without the former all of the latter. */
export function differences(now: Values | undefined, then: Values, catalogue: Catalogue): Difference[] {
  // Views and lists are in some answers only: what one side does not have was not asked for.
  const lists = (a: Values, b: Values) => Object.fromEntries(Object.entries(a).filter(([k, v]) => !Array.isArray(v) || k in b));
  const before = flatten(now ? lists(now, then) : {}, catalogue);
  const after = flatten(now ? lists(then, now) : then, catalogue);
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys.flatMap((key) => {
    const [from, to] = [before.get(key), after.get(key)];
    if (from?.value === to?.value) return [];
    return [{ path: (to ?? from)!.path, from: from?.value, to: to?.value }];
  });
}
