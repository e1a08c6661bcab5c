'use client';

import classes from './connection-badge.module.css';
import { useConnectionStatus } from './use-live.ts';

/** Says that the page no longer moves, and nothing while all is well. */
export function ConnectionBadge() {
  const status = useConnectionStatus();
  return (
    <span role="status" className={classes.place}>
      {status === 'lost' && <span className={classes.badge}>◌ reconnecting…</span>}
    </span>
  );
}
