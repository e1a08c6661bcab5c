import { getRun, listRuns } from '@evenkeel/db';
import { MAX_REASON_LENGTH, name, runId, runStatus, text } from '@evenkeel/protocol';
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

export const runRouter = router({
  list: procedure.input(listRequest).query(({ ctx, input }) => listRuns(ctx.db, input)),

  get: procedure.input(z.object({ run: runId })).query(async ({ ctx, input }) => {
    const run = await getRun(ctx.db, input.run);
    if (!run) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no run ${input.run}` });
    // As text: superjson refuses objects with keys such as "constructor", which a configuration may have.
    return { ...run, config: JSON.stringify(run.config) };
  }),

  stop: procedure
    .input(z.object({ run: runId, reason: text(MAX_REASON_LENGTH).default('stopped from the dashboard') }))
    .mutation(async ({ ctx, input }) => {
      const delivered = await ctx.stopRun(input.run, input.reason);
      if (!delivered) {
        throw new TRPCError({ code: 'PRECONDITION_FAILED', message: 'the trainer of this run is not connected' });
      }
      return { delivered };
    }),
});
