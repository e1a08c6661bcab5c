'use client';

import { Toggle } from '../../components/toggle.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import classes from './compare.module.css';
import type { Pointing } from './readout.tsx';
import { RunHeading } from './run-heading.tsx';
import type { ComparedRun } from './use-compared.ts';

interface Props extends Omit<Pointing, 'emphasized'> {
  runs: readonly ComparedRun[];
  onRemove: (id: string) => void;
}

/** The runs side by side: which line is whose, and which of them are drawn. */
export function RunList({ runs, hidden, onEmphasize, onToggle, onRemove }: Props) {
  return (
    <ul className={classes.runs} aria-label="Runs">
      {runs.map((each) => (
        <li
          key={each.id}
          data-hidden={hidden.has(each.id) || undefined}
          onMouseEnter={() => onEmphasize(each.id)}
          onMouseLeave={() => onEmphasize(null)}
          onFocus={() => onEmphasize(each.id)}
          onBlur={() => onEmphasize(null)}
        >
          <RunHeading run={each} />
          <span className={classes.project}>{each.run.project}</span>
          <RunStatusMark status={each.run.status} />
          <Toggle isOn={hidden.has(each.id)} aria-label={`Hide ${each.run.name}`} onClick={() => onToggle(each.id)}>
            hide
          </Toggle>
          <button
            type="button"
            className={classes.remove}
            aria-label={`Remove ${each.run.name}`}
            title="Remove from the comparison"
            onClick={() => onRemove(each.id)}
          >
            <span aria-hidden="true">×</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
