import { z } from 'zod';
import {
  MAX_ATTEMPT,
  MAX_CONFIG_LENGTH,
  MAX_DROPPED,
  MAX_LAYERS,
  MAX_NOTES_LENGTH,
  MAX_REASON_LENGTH,
  MAX_SCALAR_NAME_LENGTH,
  MAX_STEP,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  MAX_TIME,
} from './limits.ts';
import { policy } from './policy.ts';
import { droppedValue, RefusedError } from './refusal.ts';
import { isStorable, name, text } from './text.ts';

/** A run's id: a UUID made by the client, version 7 so that ids sort by age. */
export const runId = z.uuid().toLowerCase();
export const attemptNumber = z.number().int().min(1).max(MAX_ATTEMPT);
/** Milliseconds since 1970. */
export const time = z.number().min(0).max(MAX_TIME);

export const RUN_STATUSES = ['running', 'finished', 'stopped', 'failed', 'lost'] as const;
export const runStatus = z.enum(RUN_STATUSES);
export type RunStatus = z.infer<typeof runStatus>;

/** The statuses a client may end a run with; `lost` is the server's word. */
export const endStatus = runStatus.exclude(['running', 'lost']);
export type EndStatus = z.infer<typeof endStatus>;

/** Nesting of a configuration; far below what a JSON parser or PostgreSQL can bear. */
const MAX_CONFIG_DEPTH = 64;

/** A plain object, reduced to what JSON can carry. */
const config = z
  .custom<Record<string, unknown>>(isObject, 'expected an object')
  .transform((value, context): Record<string, unknown> => {
    const json = toJson(value);
    const problem = json === null ? 'cannot be written as JSON' : configProblem(json);
    if (json === null || problem) {
      context.addIssue(problem ?? '');
      return z.NEVER;
    }
    return JSON.parse(json);
  });

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toJson(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null; // a cycle, a BigInt, or nested too deep
  }
}

function configProblem(json: string): string | null {
  if (json.length > MAX_CONFIG_LENGTH) return `longer than ${MAX_CONFIG_LENGTH} characters as JSON`;
  if (jsonDepth(json) > MAX_CONFIG_DEPTH) return `nested more than ${MAX_CONFIG_DEPTH} deep`;
  if (!isStorable(json)) return 'contains a NUL character or half a surrogate pair';
  return null;
}

function jsonDepth(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const bracket of json.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/[[\]{}]/g) ?? []) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** Notes are Markdown. */
export const runNotes = text(MAX_NOTES_LENGTH);
export const runTags = z.array(text(MAX_TAG_LENGTH).min(1)).max(MAX_TAGS);

/** What describes a run, apart from its life. */
export const runDescription = z.object({
  project: name,
  name,
  config: config.default({}),
  owner: name.nullable().default(null),
  tags: runTags.default([]),
  notes: runNotes.default(''),
  /** Names of the layers, in the order of `layerGradVar` and `layerOutVar`. */
  layers: z.array(name).max(MAX_LAYERS).default([]),
});

/** `run:start`: opens a run, or the next attempt of one. Idempotent. */
export const runStart = runDescription.extend({
  run: runId,
  attempt: attemptNumber,
  startedAt: time,
  policy: policy.default(policy.parse({})),
});
export type RunStart = z.infer<typeof runStart>;

const ATTEMPT_CHOICE = `expected a whole number from 1 to ${MAX_ATTEMPT.toLocaleString('en')}, "next" or "resume"`;

/** `run:start` as an emitter sends it: it may leave the number of the attempt to the server. */
export const startRequest = runStart
  .extend({
    /** `next` is one more than the newest; `resume` the newest where it has not ended, else the next. */
    attempt: z.union([attemptNumber, z.enum(['next', 'resume'])], ATTEMPT_CHOICE),
    /** The same each time the client starts the same attempt again, so that no repetition opens another. */
    session: z.uuid().toLowerCase().nullable().default(null),
  })
  .refine(({ attempt, session }) => typeof attempt === 'number' || session !== null, {
    path: ['session'],
    message: 'needed to ask for the next attempt or to resume: a UUID that the client makes once',
  });
export type StartRequest = z.infer<typeof startRequest>;

/** `run:describe`: what a trainer says of a run that is under way. What is left out stays as it is. */
export const runDescribe = z
  .object({
    run: runId,
    /** Who says it; the newest attempt where that is left out. */
    attempt: attemptNumber.optional(),
    name: name.optional(),
    /** Its keys are added to those that the run has, and replace the ones of the same name, with all that is in them. */
    config: config.optional(),
    tags: runTags.optional(),
    notes: runNotes.optional(),
  })
  .refine(({ name, config, tags, notes }) => [name, config, tags, notes].some((given) => given !== undefined), {
    path: ['config'],
    message: 'none of config, tags, name and notes was given',
  });
export type RunDescribe = z.infer<typeof runDescribe>;

/**
 * A run's configuration with further keys.
 * @throws RefusedError where both together are too long.
 */
export function mergeConfig(known: Record<string, unknown>, given: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...known, ...given };
  const problem = configProblem(JSON.stringify(merged));
  if (problem) throw new RefusedError('config', `with what the run has already: ${problem}`);
  return merged;
}

/** `run:finish`: ends an attempt, and with it the run until the next attempt. Idempotent. */
export const runFinish = z.object({
  run: runId,
  attempt: attemptNumber,
  status: endStatus,
  reason: text(MAX_REASON_LENGTH).nullable().default(null),
  /** When the attempt ended, where that is not now: an import tells of what is long over. */
  endedAt: time.optional(),
});
export type RunFinish = z.infer<typeof runFinish>;

/** How an attempt ends, without which it is. */
export const runEnd = runFinish.omit({ run: true, attempt: true });
export type RunEnd = z.infer<typeof runEnd>;

const reportedDrop = droppedValue.extend({
  field: text('custom.'.length + MAX_SCALAR_NAME_LENGTH).min(1),
  reason: name,
  count: droppedValue.shape.count.max(MAX_STEP),
});

/** `run:dropped`: all that a client has left out of its steps so far. Idempotent: it replaces what it reported before. */
export const runDropped = z.object({
  run: runId,
  attempt: attemptNumber,
  dropped: z.array(reportedDrop).max(MAX_DROPPED),
});
export type RunDropped = z.infer<typeof runDropped>;
