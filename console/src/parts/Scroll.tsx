import type { ReactNode } from 'react';
import classes from './scroll.module.css';

/** Holds a table that may be wider than the window: it scrolls within, by the keyboard too. */
export function Scroll({ label, minWidth, children }: { label: string; minWidth?: number; children: ReactNode }) {
  return (
    <div role="group" aria-label={label} tabIndex={0} className={classes.scroll}>
      <div style={{ minWidth }}>{children}</div>
    </div>
  );
}
