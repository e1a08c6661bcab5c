'use client';

import { Button, UnstyledButton } from '@mantine/core';
import Link from 'next/link';
import { useEffect } from 'react';
import classes from './board-marks.module.css';
import { clearChosen, toggleChosen, useChosen } from './chosen.ts';
import { compareHref, MAX_RUNS } from './compare-params.ts';

/** Leads from the marked runs of a list to their comparison. */
export function CompareMarked() {
  const ids = useChosen();
  useMarkingKey();
  if (ids.length === 0) return null;
  return (
    <span className={classes.marked}>
      <Button component={Link} href={compareHref(ids)} prefetch={false} size="compact-xs">
        Compare {ids.length} {ids.length === 1 ? 'run' : 'runs'}
      </Button>
      <UnstyledButton className={classes.clear} onClick={clearChosen}>
        Clear
      </UnstyledButton>
      {ids.length === MAX_RUNS && <small>{MAX_RUNS} at most</small>}
    </span>
  );
}

/** The key x marks the run that has the focus. */
function useMarkingKey(): void {
  useEffect(() => {
    const onKeyDown = ({ key, target, altKey, ctrlKey, metaKey, repeat }: KeyboardEvent) => {
      if (key.toLowerCase() !== 'x' || altKey || ctrlKey || metaKey || repeat) return;
      const row = target instanceof Element ? target.closest<HTMLElement>('[data-run]') : null;
      if (row?.dataset.run) toggleChosen(row.dataset.run);
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}
