import { readChart, readForecasts, readLayerChart } from '@evenkeel/db';
import { attemptNumber, MAX_STEP, runId } from '@evenkeel/protocol';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

const stepNumber = z.number().int().min(0).max(MAX_STEP);

const chartRequest = z
  .object({
    run: runId,
    from: stepNumber.optional(),
    to: stepNumber.optional(),
    /** The timeline as it was in this attempt, before any later one. */
    attempt: attemptNumber.optional(),
    /** How many columns the picture has, usually its width in pixels. */
    columns: z.number().int().min(1).max(4_000),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ['from'],
    message: 'must not be greater than `to`',
  });

export const stepRouter = router({
  chart: procedure.input(chartRequest).query(({ ctx, input }) => readChart(ctx.db, input)),
  layers: procedure.input(chartRequest).query(({ ctx, input }) => readLayerChart(ctx.db, input)),
  forecasts: procedure.input(chartRequest).query(({ ctx, input }) => readForecasts(ctx.db, input)),
});
