import { formatCount, formatInstant } from '../../components/format.ts';
import { Shape, type ShapeName } from '../../components/shape.tsx';
import type { RunEvent } from '../../trpc/client.tsx';
import classes from '../command/command.module.css';

const SHAPES: Record<RunEvent['kind'], ShapeName> = {
  'attempt opened': 'arrow',
  'steps not acted on': 'dash',
  conflict: 'cross',
  report: 'dash',
  'step removed': 'dash',
  'step restored': 'tick',
  'run archived': 'dash',
  'run restored': 'tick',
};

const TITLES: Record<RunEvent['kind'], string> = {
  'attempt opened': 'Attempt opened',
  'steps not acted on': 'No policy acts',
  conflict: 'Conflicting values',
  report: 'Reported by the script',
  'step removed': 'Step removed',
  'step restored': 'Step restored',
  'run archived': 'Run archived',
  'run restored': 'Run restored',
};

/** What happened to the run beside its steps, alerts and commands. Nothing where nothing did. */
export function RunHistory({ events }: { events: readonly RunEvent[] }) {
  if (events.length === 0) return null;
  return (
    <section aria-label="History">
      <h2>History</h2>
      <ul className={classes.list}>
        {events.map(({ id, kind, attempt, step, by, reason, at }) => (
          <li key={id} className={classes.command}>
            <Shape name={SHAPES[kind]} />
            <div>
              <p>
                <strong>{TITLES[kind]}</strong>
                {by && ` by ${by}`}
                {step !== null && `, step ${formatCount(step)}`} of attempt {attempt}
                <time dateTime={at.toISOString()}> · {formatInstant(at)}</time>
              </p>
              <p className={classes.why}>{reason}</p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
