import type { ReactNode } from 'react';
import classes from './message.module.css';

/** A page that has nothing to show but a sentence and the next step. */
export function Message({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <section className={classes.message}>
      <h1>{title}</h1>
      <p>{children}</p>
      {action}
    </section>
  );
}
