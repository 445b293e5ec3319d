import { NavLink } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useId } from 'react';
import type { Group } from '../perspectives';
import classes from './shell.module.css';

/** The menu of a perspective. */
export function Menu({ groups, path }: { groups: Group[]; path: string }) {
  const id = useId();
  return groups.map((group, i) => (
    <section key={group.heading} aria-labelledby={`${id}${i}`}>
      <h2 id={`${id}${i}`} className={classes.heading}>
        {group.heading}
      </h2>
      <ul className={classes.entries}>
        {group.entries.map((entry) => {
          const active = path === entry.path || path.startsWith(`${entry.path}/`);
          return (
            <li key={entry.path}>
              <NavLink
                component={Link}
                to={entry.path}
                label={entry.label}
                active={active}
                aria-current={active ? 'page' : undefined}
                className={classes.entry}
                py={5}
              />
            </li>
          );
        })}
      </ul>
    </section>
  ));
}
