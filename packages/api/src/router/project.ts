import { listProjects, readRules, writeRules } from '@evenkeel/db';
import { name, RefusedError, ruleSettings } from '@evenkeel/protocol';
import { DEFAULT_RULES, problemOfRules } from '@evenkeel/stability';
import { z } from 'zod';
import { procedure, router } from '../trpc.ts';

export const projectRouter = router({
  list: procedure.query(({ ctx }) => listProjects(ctx.db)),

  /** What is set for the project's runs, and what holds where nothing is. */
  rules: procedure.input(z.object({ project: name })).query(async ({ ctx, input }) => {
    return { settings: await readRules(ctx.db, input.project), defaults: DEFAULT_RULES };
  }),

  /** Replaces all settings of the project; they hold at once, also for runs that are under way. */
  setRules: procedure
    .input(z.object({ project: name, settings: ruleSettings }))
    .mutation(async ({ ctx, input: { project, settings } }) => {
      const wrong = problemOfRules(settings);
      if (wrong) throw new RefusedError(`settings.${wrong.field}`, wrong.problem);
      const resolved = await writeRules(ctx.db, project, settings, ctx.now());
      for (const alert of resolved) ctx.alertChanged(alert);
      ctx.rulesChanged(project, settings);
      return settings;
    }),
});
