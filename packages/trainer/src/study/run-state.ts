import type { Recording } from './recording.ts';

/** How far a run of a study has come. */
export type RunState =
  | { kind: 'new' }
  /** Has a result, which may be that it diverged. */
  | { kind: 'done' }
  /** Ended on purpose before its last step, by a person or a policy: it has no result, and is not taken up again. */
  | { kind: 'stopped'; reason: string }
  /** Cut off in some way: to be taken up again. */
  | { kind: 'interrupted'; reason: string };

/** From what its recording says; null where it has none. */
export function stateOf(recording: Recording | null): RunState {
  if (!recording || recording.steps.length === 0) return { kind: 'new' };
  if (!recording.finish) return { kind: 'interrupted', reason: 'it was cut off' };
  const { status, reason } = recording.finish;
  const said = reason ?? status;
  if (status === 'finished') return { kind: 'done' };
  // how the trainer words a divergence, and an end by a signal
  if (status === 'failed') return / not finite /.test(said) ? { kind: 'done' } : { kind: 'interrupted', reason: said };
  return /^interrupted by /.test(said) ? { kind: 'interrupted', reason: said } : { kind: 'stopped', reason: said };
}
