'use client';

import { RunSwatch } from '../run/run-swatch.tsx';
import type { Line } from './lines.ts';
import classes from './readout.module.css';

/** Which runs are left out of the charts or brought forward in them, and how to change that. */
export interface Pointing {
  hidden: ReadonlySet<string>;
  /** The run that is pointed at. */
  emphasized: string | null;
  onEmphasize: (id: string | null) => void;
  onToggle: (id: string) => void;
}

interface Props extends Omit<Pointing, 'emphasized'> {
  lines: readonly Line[];
  /** In words, one for each line. */
  values: readonly string[];
}

/** Names of more runs have no room beside a chart. */
const MAX_NAMES = 6;

/**
 * The value of each run at the crosshair, and the chart's legend: pointing at a run brings it forward, a click hides it.
 * The list of runs does the same for the keyboard, and so these do not take the Tab key.
 */
export function Readout({ lines, values, hidden, onEmphasize, onToggle }: Props) {
  const isNamed = lines.length <= MAX_NAMES;
  return (
    <ul className={classes.readout} data-named={isNamed || undefined}>
      {lines.map(({ id, name, number, look }, at) => (
        <li key={id}>
          <button
            type="button"
            tabIndex={-1}
            aria-pressed={!hidden.has(id)}
            title={hidden.has(id) ? `Show ${name}` : `Hide ${name}`}
            onClick={() => onToggle(id)}
            onMouseEnter={() => onEmphasize(id)}
            onMouseLeave={() => onEmphasize(null)}
          >
            <RunSwatch run={id} look={look} />
            <span className={classes.name}>
              {number}
              {isNamed && ` ${name}`}
            </span>
            <span className={classes.value}>{hidden.has(id) ? 'hidden' : values[at]}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
