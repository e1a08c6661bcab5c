import { getRun, listCommands, listRuns } from '@evenkeel/db';
import { action, MAX_REASON_LENGTH, name, runId, runStatus, text } from '@evenkeel/protocol';
import { TRPCError } from '@trpc/server';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

const listRequest = z.object({
  project: name.optional(),
  status: runStatus.optional(),
  /** Part of a name, project, owner or tag. */
  search: text(200).optional(),
  limit: z.number().int().min(1).max(10_000).default(200),
});

const commandRequest = z.object({
  run: runId,
  action,
  /** Who gives it. */
  by: name.nullable().default(null),
  reason: text(MAX_REASON_LENGTH).default('no reason was given'),
});

export const runRouter = router({
  list: procedure.input(listRequest).query(({ ctx, input }) => listRuns(ctx.db, input)),

  get: procedure.input(z.object({ run: runId })).query(async ({ ctx, input }) => {
    const run = await getRun(ctx.db, input.run);
    if (!run) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no run ${input.run}` });
    // As text: superjson refuses objects with keys such as "constructor", which a configuration may have.
    return { ...run, config: JSON.stringify(run.config) };
  }),

  commands: procedure
    .input(z.object({ run: runId, limit: z.number().int().min(1).max(1_000).default(100) }))
    .query(({ ctx, input }) => listCommands(ctx.db, input)),

  /** Resolves once the trainer has answered, or after some seconds: the command is then pending and goes out later. */
  command: procedure.input(commandRequest).mutation(({ ctx, input }) => ctx.command(input)),
});
