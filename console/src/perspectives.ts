import { type Permission, useMay } from './api/session';
import { careMenu } from './care/menu';
import { coreMenu, integrationMenu } from './configuration/menu';
import { operationsMenu } from './operations/menu';
import { type Language, useLanguage } from './texts';

/** A page in the menu. */
export interface Entry {
  label: string;
  path: string;
  /** What one must be permitted to see it; none: nothing. */
  needs?: Permission;
}

/** Entries under their heading. */
export interface Group {
  heading: string;
  entries: Entry[];
}

/** The perspectives in their order, and the menu of each. */
const perspectives = {
  integration: integrationMenu,
  core: coreMenu,
  care: careMenu,
  operations: operationsMenu,
} satisfies Record<string, (language: Language) => Group[]>;

export type Perspective = keyof typeof perspectives;

const names = Object.keys(perspectives) as Perspective[];

/** The perspectives that have something for who is signed in, with their menus. The first entry is where a switch leads. */
export function usePerspectives(): { name: Perspective; groups: Group[]; first: string }[] {
  const { language } = useLanguage();
  const may = useMay();
  return names.flatMap((name) => {
    const groups = perspectives[name](language)
      .map((group) => ({ ...group, entries: group.entries.filter((e) => may(e.needs)) }))
      .filter((group) => group.entries.length > 0);
    return groups.length ? [{ name, groups, first: groups[0]!.entries[0]!.path }] : [];
  });
}

/** Which perspective a page belongs to; the first page belongs to none. */
export function perspectiveOf(path: string): Perspective | undefined {
  return names.find((name) =>
    perspectives[name]('en').some((g) => g.entries.some((e) => path === e.path || path.startsWith(`${e.path}/`))),
  );
}
