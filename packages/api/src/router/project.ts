import {
  findProject,
  findReportedNames,
  listProjects,
  readAlertRecord,
  readProjectNames,
  readRules,
  writeProjectNames,
  writeRules,
} from '@evenkeel/db';
import { authorOf, name, projectNames, text } from '@evenkeel/protocol';
import { DEFAULT_RULE_SETTINGS, ruleSettings } from '@evenkeel/stability';
import { TRPCError } from '@trpc/server';
import pLimit from 'p-limit';
import { z } from 'zod';
import { recordOf } from '../alert-record.ts';
import { procedure, router, slowProcedure } from '../trpc.ts';
import { tryRules } from '../try-rules.ts';

const trialRequest = z.object({
  project: name,
  settings: ruleSettings,
  /** How many of the project's runs, the newest first. */
  runs: z.number().int().min(1).max(100).default(20),
  /** What an answer before said is next. */
  cursor: z.number().int().min(0).max(100).default(0),
});

const namesRequest = z.object({
  project: name,
  /** Part of a name. */
  search: text(200).optional(),
  limit: z.number().int().min(1).max(500).default(200),
});

/** The largest number that the database gives. */
const MAX_ID = 2 ** 31 - 1;

/** Trials read much: one after another, they leave the ingest its share. */
const oneAtATime = pLimit(1);

export const projectRouter = router({
  list: procedure.query(({ ctx }) => listProjects(ctx.db)),

  /** The project of a number, by which clients of other trackers know it. */
  numbered: procedure.input(z.object({ id: z.number().int().min(1).max(MAX_ID) })).query(async ({ ctx, input }) => {
    const found = await findProject(ctx.db, input);
    if (!found) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no project ${input.id}` });
    return { name: found.name };
  }),

  /** What is set for the project's runs, and what holds where nothing is. */
  rules: procedure.input(z.object({ project: name })).query(async ({ ctx, input }) => {
    return { settings: await readRules(ctx.db, input.project), defaults: DEFAULT_RULE_SETTINGS };
  }),

  /** How the alerts of the project turned out, for each rule that had some. Archived runs are left out. */
  record: procedure.input(z.object({ project: name })).query(async ({ ctx, input }) => {
    await readRules(ctx.db, input.project); // or there is no such project
    return recordOf(await readAlertRecord(ctx.db, input.project));
  }),

  /** Replaces all settings of the project; they hold at once, also for runs that are under way. */
  setRules: procedure
    .input(z.object({ project: name, settings: ruleSettings }))
    .mutation(async ({ ctx, input: { project, settings } }) => {
      const resolved = await writeRules(ctx.db, project, settings, ctx.now(), authorOf(ctx.principal, null));
      for (const alert of resolved) ctx.events.publish({ kind: 'alert resolved', alert });
      ctx.events.publish({ kind: 'rules changed', project });
      return settings;
    }),

  /** What is set for names of metrics in the project, and the names that its newest runs have reported. */
  names: procedure.input(namesRequest).query(async ({ ctx, input }) => {
    const settings = await readProjectNames(ctx.db, input.project);
    return { settings, reported: await findReportedNames(ctx.db, input) };
  }),

  /** Replaces what is set for names; it applies to what runs have not decided yet. */
  setNames: procedure
    .input(z.object({ project: name, names: projectNames }))
    .mutation(async ({ ctx, input: { project, names } }) => {
      await writeProjectNames(ctx.db, project, names);
      return names;
    }),

  /** What settings that are not saved would have raised in past runs; saves nothing. */
  tryRules: slowProcedure.input(trialRequest).query(async ({ ctx, input, signal }) => {
    await readRules(ctx.db, input.project); // or there is no such project
    return oneAtATime(() => tryRules(ctx.db, input, signal));
  }),
});
