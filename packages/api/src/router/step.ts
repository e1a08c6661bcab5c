import { readArrayChart, readChart, readForecasts, type SeriesKey } from '@evenkeel/db';
import { attemptNumber, CHARTED_FIELDS, runId, STEP_ARRAYS, scalarName, stepNumber } from '@evenkeel/protocol';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

/** Series of one chart query; a page asks for a dozen at a time. */
const MAX_SERIES = 256;

const rangeRequest = z
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

const CUSTOM = 'custom:';

/** A scalar of every step, or `custom:` and the name of a custom scalar. */
const seriesKey = z.custom<SeriesKey>(
  (key) =>
    typeof key === 'string' &&
    (CHARTED_FIELDS.some(({ name }) => name === key) ||
      (key.startsWith(CUSTOM) && scalarName.safeParse(key.slice(CUSTOM.length)).success)),
  `expected ${CHARTED_FIELDS.map(({ name }) => name).join(', ')} or ${CUSTOM}NAME`,
);

/** Without `series`, all but custom scalars. */
const chartRequest = rangeRequest.safeExtend({
  series: z.array(seriesKey).max(MAX_SERIES).optional(),
});

const arrayRequest = rangeRequest.safeExtend({ array: z.enum(STEP_ARRAYS) });

export const stepRouter = router({
  chart: procedure.input(chartRequest).query(({ ctx, input }) => readChart(ctx.db, input)),
  array: procedure.input(arrayRequest).query(({ ctx, input }) => readArrayChart(ctx.db, input)),
  forecasts: procedure.input(rangeRequest).query(({ ctx, input }) => readForecasts(ctx.db, input)),
});
