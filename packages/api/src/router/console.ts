import { readConsole } from '@evenkeel/db';
import { attemptNumber, MAX_CONSOLE_LINES, runId } from '@evenkeel/protocol';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

const count = z.number().int().min(0);

const linesRequest = z.object({
  run: runId,
  /** `revision` of an earlier answer: only lines that were stored or changed since. */
  after: count.optional(),
  /** The first line of an earlier answer: only lines before it. */
  before: z.object({ attempt: attemptNumber, writer: count.max(2 ** 31 - 1), line: count }).optional(),
  /** So many of the longest lines are far below what an answer may have. */
  limit: z.number().int().min(1).max(MAX_CONSOLE_LINES).default(MAX_CONSOLE_LINES),
});

export const consoleRouter = router({
  /** The last lines of a run's console output, in order. */
  lines: procedure.input(linesRequest).query(({ ctx, input }) => readConsole(ctx.db, input)),
});
