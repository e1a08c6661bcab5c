'use client';

import { RunStatusMark } from '../run/run-status.tsx';
import { Toggle } from '../shell/toggle.tsx';
import classes from './compare.module.css';
import type { Pointing } from './readout.tsx';
import { RunHeading } from './run-heading.tsx';
import type { ComparedRun } from './use-compared.ts';

interface Props extends Omit<Pointing, 'emphasised'> {
  runs: readonly ComparedRun[];
  onRemove: (id: string) => void;
}

/** The runs side by side: which line is whose, and which of them are drawn. */
export function RunList({ runs, hidden, onEmphasise, onToggle, onRemove }: Props) {
  return (
    <ul className={classes.runs} aria-label="Runs">
      {runs.map((each) => (
        <li
          key={each.id}
          data-hidden={hidden.has(each.id) || undefined}
          onMouseEnter={() => onEmphasise(each.id)}
          onMouseLeave={() => onEmphasise(null)}
          onFocus={() => onEmphasise(each.id)}
          onBlur={() => onEmphasise(null)}
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
