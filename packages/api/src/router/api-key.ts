import { createApiKey, listApiKeys, revokeApiKey } from '@evenkeel/db';
import { name } from '@evenkeel/protocol';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

/** Keys for `/ingest`. The secret is in the answer to `create` and nowhere else. */
export const apiKeyRouter = router({
  create: procedure.input(z.object({ name })).mutation(async ({ ctx, input }) => {
    const created = await createApiKey(ctx.db, input.name, ctx.now());
    ctx.events.publish({ kind: 'keys changed' });
    return created;
  }),

  list: procedure.query(({ ctx }) => listApiKeys(ctx.db)),

  revoke: procedure.input(z.object({ id: z.uuid() })).mutation(async ({ ctx, input }) => {
    const revoked = await revokeApiKey(ctx.db, input.id, ctx.now());
    ctx.events.publish({ kind: 'keys changed' });
    return revoked;
  }),
});
