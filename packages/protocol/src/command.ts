import { z } from 'zod';
import { MAX_REASON_LENGTH } from './limits.ts';
import { runId } from './run.ts';
import { text } from './text.ts';

/** `command`: what the server asks of a run's emitter, which acknowledges it. */
export const command = z.object({
  id: z.uuid(),
  run: runId,
  kind: z.literal('stop'),
  reason: text(MAX_REASON_LENGTH),
});
export type Command = z.infer<typeof command>;
