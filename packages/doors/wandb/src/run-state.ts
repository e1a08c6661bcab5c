import { z } from 'zod';
import { stepRule } from './step-rules.ts';

const count = z.number().int().min(0).default(0);
const seconds = z.number().nullable().default(null);

/** What a client may ask for again after a restart of either side; lines that are counted here are stored. */
export const runState = z.object({
  /** How many lines of each file are stored. */
  historyLines: count,
  eventsLines: count,
  outputLines: count,
  /** `_timestamp` of the first lines: other ones are of another life of the job, which counts from 0 again. */
  firstHistory: seconds,
  firstEvents: seconds,
  /** `_step`, `_timestamp` and `_runtime` of the newest row, and of the newest system metrics. */
  historyTail: z.record(z.string(), z.number()).default({}),
  eventsTail: z.record(z.string(), z.number()).default({}),
  /** The summary as JSON. */
  summary: z.string().default('{}'),
  /** The run's group, job type, program and host, of which a later message may leave some out. */
  origin: z.record(z.string(), z.string()).default({}),
  stepRules: z.array(stepRule).default([]),
  /** The newest value of each metric that is a step of others. */
  stepValues: z.record(z.string(), z.number()).default({}),
  /** The newest step, and its time in milliseconds since 1970. */
  newest: z.object({ step: z.number(), time: z.number() }).nullable().default(null),
  /** The client has asked where the run is, to go on with it. */
  isResuming: z.boolean().default(false),
  /** The command to stop that the client has been given. */
  stop: z.object({ id: z.string(), reason: z.string() }).nullable().default(null),
});
/** A parsed {@link runState}. */
export type RunState = z.infer<typeof runState>;

/** The same run in the next attempt, which goes on counting lines. Its system metrics wait for its own first step. */
export function resumed(state: RunState): RunState {
  return { ...state, newest: null, isResuming: false, stop: null };
}

/** The same run in a life of its job that counts its lines from 0. */
export function restarted(state: RunState): RunState {
  return runState.parse({ stepRules: state.stepRules, origin: state.origin });
}
