import { lookOf, type RunLook } from './run-color.ts';
import classes from './run-swatch.module.css';

interface Props {
  run: string;
  /** Its look among others, where it is not its own. */
  look?: RunLook;
}

/** A piece of the line that a run is drawn with; its name stands beside it. */
export function RunSwatch({ run, look = lookOf(run) }: Props) {
  return (
    <svg className={classes.swatch} viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
      <line x1="0" y1="4" x2="24" y2="4" stroke={`var(${look.color})`} strokeDasharray={look.dash.join(' ')} />
    </svg>
  );
}
