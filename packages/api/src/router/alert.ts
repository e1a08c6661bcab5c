import { acknowledgeAlert, listAlerts, resolveAlert } from '@evenkeel/db';
import { alertStatus, runId } from '@evenkeel/protocol';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

const listRequest = z.object({
  run: runId.optional(),
  status: z.array(alertStatus).optional(),
  limit: z.number().int().min(1).max(1_000).default(100),
});
const alertRequest = z.object({ run: runId, id: z.uuid() });

export const alertRouter = router({
  list: procedure.input(listRequest).query(({ ctx, input }) => listAlerts(ctx.db, input)),

  acknowledge: procedure.input(alertRequest).mutation(async ({ ctx, input }) => {
    const alert = await acknowledgeAlert(ctx.db, input, ctx.now());
    ctx.alertChanged(alert);
    return alert;
  }),

  resolve: procedure.input(alertRequest).mutation(async ({ ctx, input }) => {
    const alert = await resolveAlert(ctx.db, input, ctx.now());
    ctx.alertChanged(alert);
    return alert;
  }),
});
