import { z } from 'zod';
import { stepRule } from './step-rules.ts';

const count = z.number().int().min(0).default(0);
/** The number of a line, and its `_timestamp`. */
const place = z.object({ offset: z.number(), time: z.number().nullable() }).nullable().default(null);
const seconds = z.number().nullable().default(null);

/** One process that writes the run, which counts its own lines from 0; lines that are counted here are stored. */
const writer = z.object({
  /** How many lines of each file are stored. */
  historyLines: count,
  eventsLines: count,
  outputLines: count,
  /** `_timestamp` of the first lines, by which a process is recognized. */
  firstHistory: seconds,
  firstEvents: seconds,
  /** Where the latest lines that were posted begin, so that they are recognized when they come again. */
  lastHistory: place,
  lastEvents: place,
  /** `_step`, `_timestamp` and `_runtime` of the newest row, and of the newest system metrics. */
  historyTail: z.record(z.string(), z.number()).default({}),
  eventsTail: z.record(z.string(), z.number()).default({}),
  /** The newest value of each metric that is a step of others. */
  stepValues: z.record(z.string(), z.number()).default({}),
  /** The newest step, and its time in milliseconds since 1970. */
  newest: z.object({ step: z.number(), time: z.number() }).nullable().default(null),
  /** From which of its lines of output on which lines of the attempt's console they are, in order. */
  output: z.array(z.object({ from: z.number(), line: z.number() })).default([{ from: 0, line: 0 }]),
  /** It is new, and nothing of it has shown yet whether the job was started again or has one more process. */
  isNew: z.boolean().default(false),
  /** It has ended, or another one has begun after it. */
  hasEnded: z.boolean().default(false),
});
/** A process that writes the run. */
export type Writer = z.infer<typeof writer>;

/** What a client may ask for again after a restart of either side: the process that has posted last, and what is the run's. */
export const runState = writer.extend({
  /** The other processes that have posted, the latest first. */
  others: z.array(writer).default([]),
  /** The next line of the attempt's console; null as long as one process alone counts its lines. */
  nextLine: z.number().nullable().default(null),
  /** The summary as JSON. */
  summary: z.string().default('{}'),
  /** The run's group, job type, program and host, of which a later message may leave some out. */
  origin: z.record(z.string(), z.string()).default({}),
  stepRules: z.array(stepRule).default([]),
  /** The client has asked where the run is, to go on with it. */
  isResuming: z.boolean().default(false),
  /** The command to stop that the client has been given. */
  stop: z.object({ id: z.string(), reason: z.string() }).nullable().default(null),
});
/** A parsed {@link runState}. */
export type RunState = z.infer<typeof runState>;

/** The same run in the next attempt, which goes on counting lines. Its system metrics wait for its own first step. */
export function resumed(state: RunState): RunState {
  const others = state.others.map((other) => ({ ...other, hasEnded: true }));
  return { ...state, newest: null, isNew: false, hasEnded: false, isResuming: false, stop: null, others };
}

/** The same run where a process reports its end. A report that does not show which it is of is one of some process. */
export function ended(state: RunState): RunState {
  if (!state.hasEnded) return { ...state, hasEnded: true };
  const running = state.others.find(({ hasEnded }) => !hasEnded);
  return { ...state, others: state.others.map((each) => (each === running ? { ...each, hasEnded: true } : each)) };
}

/** The same run in its next attempt, which the process that has posted last begins. */
export function restarted(state: RunState): RunState {
  const others = state.others.map((other) => ({ ...other, output: [], hasEnded: true }));
  const fresh = { isNew: false, newest: null, output: [], nextLine: 0, others };
  return { ...state, ...fresh, summary: '{}', isResuming: false, stop: null };
}
