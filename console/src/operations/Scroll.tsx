import type { ReactNode } from 'react';
import classes from './operations.module.css';

/** Holds a table that may be wider than the window; the keyboard can scroll it too. */
export function Scroll({ label, minWidth, children }: { label: string; minWidth: number; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what is filled in
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it only a pointer could scroll
    <div role="group" className={classes.scroll} tabIndex={0} aria-label={label}>
      <div style={{ minWidth }}>{children}</div>
    </div>
  );
}
