'use client';

import { RunSwatch } from '../run/run-swatch.tsx';
import classes from './board-marks.module.css';
import { toggleChosen, useIsChosen } from './chosen.ts';

/** Marks a run of a list to be compared. The Tab key passes by: on a run, the key x does the same. */
export function CompareBox({ id, name }: { id: string; name: string }) {
  return (
    <label className={classes.box} title="Compare (x)">
      <input
        type="checkbox"
        tabIndex={-1}
        aria-label={`Compare ${name}`}
        checked={useIsChosen(id)}
        onChange={() => toggleChosen(id)}
      />
      <RunSwatch run={id} />
    </label>
  );
}
