import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';
import classes from './care.module.css';

const height = 36; // as in care.module.css
const spare = 12;

interface Props<T> {
  label: string;
  items: T[];
  /** Whether there are more to come; `more` is called before the end is reached. */
  open: boolean;
  /** Whether a page is on its way. */
  loading: boolean;
  more(): void;
  head: ReactNode;
  row(item: T): ReactNode;
  columns: number;
}

/** A table of any length: all rows are of one height, and only those in sight are drawn. */
export function Rows<T extends { refId: string }>({ label, items, open, loading, more, head, row, columns }: Props<T>) {
  const box = useRef<HTMLElement>(null);
  const [sight, setSight] = useState({ from: 0, to: 40 });
  const look = useRef(() => {});
  look.current = () => {
    const { scrollTop, clientHeight } = box.current!;
    const from = Math.max(0, Math.floor(scrollTop / height) - spare);
    const to = Math.ceil((scrollTop + clientHeight) / height) + spare;
    if (from !== sight.from || to !== sight.to) setSight({ from, to });
  };
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => look.current());
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const wanted = open && !loading && sight.to + 200 >= items.length;
  // A page may hold few, even none: the next follows until there are enough.
  // the callback is of the same list
  useEffect(() => {
    if (wanted) more();
  }, [wanted, items.length]);

  const shown = items.slice(sight.from, sight.to);
  const before = Math.min(sight.from, items.length) * height;
  const after = Math.max(0, items.length - sight.to) * height;
  return (
    // what scrolls must be reached by the keyboard
    <section ref={box} className={classes.rows} onScroll={() => look.current()} tabIndex={0} aria-label={label}>
      <table aria-rowcount={open ? -1 : items.length + 1}>
        <thead>{head}</thead>
        <tbody>
          {before > 0 && <Gap height={before} columns={columns} />}
          {shown.map((item, i) => (
            <tr key={item.refId} aria-rowindex={sight.from + i + 2}>
              {row(item)}
            </tr>
          ))}
          {after > 0 && <Gap height={after} columns={columns} />}
        </tbody>
      </table>
    </section>
  );
}

function Gap({ height, columns }: { height: number; columns: number }) {
  return (
    // a row takes no focus
    <tr aria-hidden="true">
      <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
    </tr>
  );
}
