import { z } from 'zod';
import { config } from './config.ts';
import {
  MAX_ATTEMPT,
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
import { droppedValue } from './refusal.ts';
import { name, text } from './text.ts';

/** A run's id: a UUID made by the client, version 7 so that ids sort by age. */
export const runId = z.uuid().toLowerCase();
/** The number of an attempt, from 1. */
export const attemptNumber = z.number().int().min(1).max(MAX_ATTEMPT);
/** Milliseconds since 1970. */
export const time = z.number().min(0).max(MAX_TIME);

/** `lost` is a run that the server has lost contact with; the others are reported by its trainer. */
export const RUN_STATUSES = ['running', 'finished', 'stopped', 'failed', 'lost'] as const;
/** The status of a run: one of {@link RUN_STATUSES}. */
export const runStatus = z.enum(RUN_STATUSES);
/** See {@link RUN_STATUSES}. */
export type RunStatus = z.infer<typeof runStatus>;

/** The statuses a client may end a run with; `lost` is set by the server alone. */
export const endStatus = runStatus.exclude(['running', 'lost']);
/** A parsed {@link endStatus}. */
export type EndStatus = z.infer<typeof endStatus>;

/** Notes are Markdown. */
export const runNotes = text(MAX_NOTES_LENGTH);
/** Tags of a run: {@link MAX_TAGS} at most, none empty. */
export const runTags = z.array(text(MAX_TAG_LENGTH).min(1)).max(MAX_TAGS);

/** The description of a run: all that is not its state. */
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
/** A parsed {@link runStart}, defaults filled in. */
export type RunStart = z.infer<typeof runStart>;

const ATTEMPT_CHOICE = `expected a whole number from 1 to ${MAX_ATTEMPT.toLocaleString('en')}, "next" or "resume"`;

/** `run:start` as an emitter sends it: it may leave the number of the attempt to the server. */
export const startRequest = runStart
  .extend({
    /** `next` is one more than the newest; `resume` the newest where it has not ended, else the next. */
    attempt: z.union([attemptNumber, z.enum(['next', 'resume'])], ATTEMPT_CHOICE),
    /** The same each time the client starts the same attempt again, so that no repetition opens another. */
    session: z.uuid().toLowerCase().nullable().default(null),
    /** Whether names of custom scalars that trackers use for a field of a step, such as `train/loss`, stand for it. */
    mapNames: z.boolean().default(false),
  })
  .refine(({ attempt, session }) => typeof attempt === 'number' || session !== null, {
    path: ['session'],
    message: 'needed to ask for the next attempt or to resume: a UUID that the client makes once',
  });
/** A parsed {@link startRequest}, defaults filled in. */
export type StartRequest = z.infer<typeof startRequest>;

/** `run:describe`: changes the description of a running run. Fields that are absent stay as they are. */
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
/** A parsed {@link runDescribe}. */
export type RunDescribe = z.infer<typeof runDescribe>;

/** `run:finish`: ends an attempt, and with it the run until the next attempt. Idempotent. */
export const runFinish = z.object({
  run: runId,
  attempt: attemptNumber,
  status: endStatus,
  reason: text(MAX_REASON_LENGTH).nullable().default(null),
  /** When the attempt ended, where that is not now: an import reports a run that ended long ago. */
  endedAt: time.optional(),
});
/** A parsed {@link runFinish}. */
export type RunFinish = z.infer<typeof runFinish>;

/** How an attempt ends, without the run and the attempt. */
export const runEnd = runFinish.omit({ run: true, attempt: true });
/** A parsed {@link runEnd}. */
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
/** A parsed {@link runDropped}. */
export type RunDropped = z.infer<typeof runDropped>;
