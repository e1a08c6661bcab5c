'use client';

import { useSyncExternalStore } from 'react';
import { live } from './connection.ts';
import classes from './connection-badge.module.css';

/** Says that the page no longer moves, and nothing while all is well. */
export function ConnectionBadge() {
  const status = useSyncExternalStore(
    live.onStatus,
    () => live.status,
    () => 'idle' as const,
  );
  return (
    <span role="status" className={classes.place}>
      {status === 'lost' && <span className={classes.badge}>◌ reconnecting…</span>}
    </span>
  );
}
