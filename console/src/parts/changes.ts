import { type Schema, typeOf } from '../api/schema';

/** What became of one value: nothing is undefined. */
export interface Change {
  pointer: string;
  from?: unknown;
  to?: unknown;
}

/** The values that an object holds at its ends, by pointer. */
function leaves(value: unknown, at: string, out: Map<string, unknown>): Map<string, unknown> {
  if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) leaves(inner, `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, out);
  } else if (value !== undefined) {
    out.set(at, value);
  }
  return out;
}

/** What differs between two objects, value by value. */
export function differences(from: object | undefined, to: object | undefined, ignore: string[] = ['/version']): Change[] {
  const before = leaves(from ?? {}, '', new Map());
  const after = leaves(to ?? {}, '', new Map());
  const pointers = new Set([...before.keys(), ...after.keys()]);
  return [...pointers]
    .filter((p) => before.get(p) !== after.get(p) && !ignore.includes(p))
    .map((p) => ({ pointer: p, from: before.get(p), to: after.get(p) }));
}

/** The schema of what a pointer names, and the labels on the way there. */
export function walk(schema: Schema, pointer: string, resolve: (s: Schema) => Schema): { schema?: Schema; labels: string[] } {
  let here: Schema | undefined = resolve(schema);
  const labels: string[] = [];
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (here && typeOf(here) === 'array') {
      labels.push(String(Number(name) + 1));
      here = here.items && resolve(here.items);
    } else {
      const member: Schema | undefined = here?.properties?.[name];
      here = member && resolve(member);
      labels.push(here?.title ?? name);
    }
  }
  return { schema: here, labels };
}
