import { z } from 'zod';
import {
  MAX_ATTEMPT,
  MAX_CONFIG_LENGTH,
  MAX_LAYERS,
  MAX_NOTES_LENGTH,
  MAX_REASON_LENGTH,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  MAX_TIME,
} from './limits.ts';
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

const config = z.record(z.string(), z.json()).superRefine((value, context) => {
  const json = JSON.stringify(value);
  if (json.length > MAX_CONFIG_LENGTH) {
    context.addIssue(`longer than ${MAX_CONFIG_LENGTH} characters as JSON`);
  }
  if (!isStorable(json)) context.addIssue('contains a NUL character or half a surrogate pair');
});

/** What describes a run, apart from its life. */
export const runDescription = z.object({
  project: name,
  name,
  config: config.default({}),
  owner: name.nullable().default(null),
  tags: z.array(text(MAX_TAG_LENGTH).min(1)).max(MAX_TAGS).default([]),
  notes: text(MAX_NOTES_LENGTH).default(''),
  /** Names of the layers, in the order of `layerGradVar` and `layerOutVar`. */
  layers: z.array(name).max(MAX_LAYERS).default([]),
});
export type RunDescription = z.infer<typeof runDescription>;

/** `run:start`: opens a run, or the next attempt of one. Idempotent. */
export const runStart = runDescription.extend({
  run: runId,
  attempt: attemptNumber,
  startedAt: time,
});
export type RunStart = z.infer<typeof runStart>;

/** `run:finish`: ends an attempt, and with it the run until the next attempt. Idempotent. */
export const runFinish = z.object({
  run: runId,
  attempt: attemptNumber,
  status: endStatus,
  reason: text(MAX_REASON_LENGTH).nullable().default(null),
});
export type RunFinish = z.infer<typeof runFinish>;
