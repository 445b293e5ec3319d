import { careMenu } from './care/menu';
import { coreMenu, integrationMenu } from './configuration/menu';
import { operationsMenu } from './operations/menu';
import type { Language } from './texts';

/** A page in the menu. */
export interface Entry {
  label: string;
  path: string;
}

/** Entries under their heading. */
export interface Group {
  heading: string;
  entries: Entry[];
}

/** The perspectives in their order, and the menu of each. The first entry is where a switch leads. */
export const perspectives = {
  integration: integrationMenu,
  core: coreMenu,
  care: careMenu,
  operations: operationsMenu,
} satisfies Record<string, (language: Language) => Group[]>;

export type Perspective = keyof typeof perspectives;

export const perspectiveNames = Object.keys(perspectives) as Perspective[];

/** Which perspective a page belongs to; the first page belongs to none. */
export function perspectiveOf(path: string): Perspective | undefined {
  return perspectiveNames.find((name) =>
    perspectives[name]('en').some((g) => g.entries.some((e) => path === e.path || path.startsWith(`${e.path}/`))),
  );
}
