import { deleteView, listViews, saveView } from '@evenkeel/db';
import { name, text } from '@evenkeel/protocol';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

const MAX_QUERY_LENGTH = 4_000;

const viewName = name.trim().min(1);

/** Filters, sort and groups of the board that the lab keeps under names. */
export const viewRouter = router({
  list: procedure.query(({ ctx }) => listViews(ctx.db)),

  /** `query` is that of the board's address, without the question mark. */
  save: procedure
    .input(z.object({ name: viewName, query: text(MAX_QUERY_LENGTH).min(1) }))
    .mutation(({ ctx, input }) => saveView(ctx.db, input, ctx.now())),

  delete: procedure.input(z.object({ name })).mutation(({ ctx, input }) => deleteView(ctx.db, input.name)),
});
