import { z } from 'zod';
import { MAX_REASON_LENGTH } from './limits.ts';
import { checkpoint, reduceLr, stop } from './policy.ts';
import { runId } from './run.ts';
import { name, text } from './text.ts';

const envelope = {
  id: z.uuid(),
  run: runId,
  /** Who gave it: a rule, or a person. */
  by: name.nullable().default(null),
  reason: text(MAX_REASON_LENGTH),
};

/** `command`: a request of the server to a run's emitter, which acknowledges it. */
export const command = z.discriminatedUnion('kind', [
  stop.extend(envelope),
  checkpoint.extend(envelope),
  reduceLr.extend(envelope),
]);
/** A parsed {@link command}. */
export type Command = z.infer<typeof command>;

/** `command:done`: the trainer has carried a command out, or could not. Idempotent. */
export const commandDone = z.object({
  run: runId,
  id: z.uuid(),
  /** The result, for a person. */
  result: text(MAX_REASON_LENGTH).nullable().default(null),
  /** Why it could not be carried out; null where it was. */
  error: text(MAX_REASON_LENGTH).nullable().default(null),
});
/** A parsed {@link commandDone}. */
export type CommandDone = z.infer<typeof commandDone>;

/**
 * A command is `acknowledged` by the emitter, which then reports whether it is `done` or has `failed`; it is `expired`
 * where the attempt ended before it was delivered.
 */
export const COMMAND_STATUSES = ['pending', 'acknowledged', 'done', 'failed', 'expired'] as const;
/** See {@link COMMAND_STATUSES}. */
export type CommandStatus = (typeof COMMAND_STATUSES)[number];
