'use client';

import { memo, type ReactNode, useEffect, useState } from 'react';
import classes from './notes.module.css';

/**
 * A run's notes. Formatted in the browser alone: a text that takes long must not hold up the server, which stores steps
 * meanwhile. Until then, and where it cannot be formatted, the text is shown as it is.
 */
export const Notes = memo(function Notes({ notes }: { notes: string }) {
  const [formatted, setFormatted] = useState<ReactNode>(null);
  useEffect(() => {
    let isShown = true;
    void import('./formatted-notes.tsx').then(({ formatNotes }) => isShown && setFormatted(formatNotes(notes)));
    return () => {
      isShown = false;
    };
  }, [notes]);
  if (!formatted) return <p className={`${classes.notes} ${classes.plain}`}>{notes}</p>;
  return <div className={classes.notes}>{formatted}</div>;
});
