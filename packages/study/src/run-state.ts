import type { TrainedRun } from './trained-run.ts';

/** The state of a run of a study. */
export type RunState =
  | { kind: 'new' }
  /** Has a result, which may be that it diverged. */
  | { kind: 'done' }
  /** Ended on purpose before its last step, by a person or a policy: it has no result, and is not resumed. */
  | { kind: 'stopped'; reason: string }
  /** Cut off in some way: it will be resumed. */
  | { kind: 'interrupted'; reason: string };

/** The state by the recording, null where there is none. */
export function stateOf(recording: TrainedRun | null): RunState {
  if (!recording || recording.steps.length === 0) return { kind: 'new' };
  if (!recording.finish) return { kind: 'interrupted', reason: 'it was cut off' };
  const { status, reason } = recording.finish;
  const said = reason ?? status;
  if (status === 'finished') return { kind: 'done' };
  // the trainer's words for a divergence, and for an end by a signal
  if (status === 'failed') return / not finite /.test(said) ? { kind: 'done' } : { kind: 'interrupted', reason: said };
  return /^interrupted by /.test(said) ? { kind: 'interrupted', reason: said } : { kind: 'stopped', reason: said };
}
