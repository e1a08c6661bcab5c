import {
  archiveRun,
  countGroups,
  countRuns,
  deleteRun,
  describeRun,
  findCustomNames,
  getRun,
  listCommands,
  listTags,
  pageRuns,
  RUN_SORT_KEYS,
  readFamily,
  readHistory,
  removeStep,
} from '@evenkeel/db';
import {
  action,
  attemptNumber,
  authorOf,
  MAX_REASON_LENGTH,
  MAX_SCALAR_NAME_LENGTH,
  MAX_TIME,
  name,
  runId,
  runNotes,
  runStatus,
  runTags,
  scalarName,
  stepNumber,
  text,
} from '@evenkeel/protocol';
import { TRPCError } from '@trpc/server';
import { z } from 'zod';
import { procedure, router, slowProcedure } from '../trpc.ts';

const text200 = text(200);

const MAX_RUNS_AT_ONCE = 200;
const MAX_COMMANDS_AT_ONCE = 200;
const MAX_NAMES_AT_ONCE = 256;
/** Room for a value of the configuration that a list is grouped by. */
const MAX_CURSOR_LENGTH = 200_000;

/** Keys of a configuration that lead to a value. */
const configPath = z.array(text200).min(1).max(16);

/** In the years that PostgreSQL reads as they are written. */
const time = z.date().min(new Date('0001-01-01')).max(new Date(MAX_TIME));

const filter = z.object({
  project: name.optional(),
  status: z.union([runStatus.transform((one) => [one]), z.array(runStatus)]).optional(),
  tag: text200.optional(),
  /** Part of a name, project, owner or tag. */
  search: text200.optional(),
  /** Values of the configuration, as text, by the keys that lead to each. */
  config: z
    .array(z.object({ path: configPath, value: text200 }))
    .max(16)
    .optional(),
  /** The minimum risk of divergence. */
  risk: z.number().min(0).max(1).optional(),
  /** Hours before now that it began in. */
  startedWithin: z.number().min(0).max(1_000_000).optional(),
  startedFrom: time.optional(),
  startedBefore: time.optional(),
  /** Archived runs only. */
  archived: z.boolean().optional(),
});

type Filter = z.infer<typeof filter>;

function withoutNow<Request extends Filter>({ startedWithin, ...request }: Request, now: Date) {
  if (startedWithin === undefined) return request;
  const from = new Date(now.getTime() - startedWithin * 3_600_000);
  const startedFrom = request.startedFrom && request.startedFrom > from ? request.startedFrom : from;
  return { ...request, startedFrom };
}

const listRequest = filter.extend({
  group: configPath.optional(),
  sort: z.object({ by: z.enum(RUN_SORT_KEYS), descending: z.boolean() }).optional(),
  limit: z.number().int().min(1).max(MAX_RUNS_AT_ONCE).default(MAX_RUNS_AT_ONCE),
  /** `nextCursor` of the page before. */
  cursor: text(MAX_CURSOR_LENGTH).optional(),
  offset: z.number().int().min(0).max(1_000_000).optional(),
  /** Whether each run comes with its configuration, as JSON. */
  withConfig: z.boolean().optional(),
});

const commandsRequest = z.object({
  run: runId,
  /** Only those that answered this alert. */
  alert: z.uuid().optional(),
  limit: z.number().int().min(1).max(MAX_COMMANDS_AT_ONCE).default(100),
});

const customNamesRequest = z.object({
  run: runId,
  /** Part of a name. */
  search: text(MAX_SCALAR_NAME_LENGTH).optional(),
  /** Names to leave out. */
  without: z.array(scalarName).max(16).optional(),
  /** Only names that begin so; and only names that do not. */
  prefix: scalarName.optional(),
  notPrefix: scalarName.optional(),
  limit: z.number().int().min(1).max(MAX_NAMES_AT_ONCE),
});

const commandRequest = z.object({
  run: runId,
  action,
  /** Who gives it. */
  by: name.nullable().default(null),
  reason: text(MAX_REASON_LENGTH).default('no reason was given'),
});

const removeStepRequest = z.object({
  run: runId,
  attempt: attemptNumber,
  step: stepNumber,
  /** False brings it back. */
  removed: z.boolean(),
  /** Who does it. */
  by: name.nullable().default(null),
});

const archiveRequest = z.object({
  run: runId,
  /** False brings it back. */
  archived: z.boolean(),
  /** Who does it. */
  by: name.nullable().default(null),
});

const descriptionRequest = z
  .object({
    run: runId,
    /** What is left out stays as it is. */
    notes: runNotes.optional(),
    tags: runTags.optional(),
    /** Who writes it. */
    by: name.nullable().default(null),
  })
  .refine(({ notes, tags }) => notes !== undefined || tags !== undefined, {
    path: ['notes'],
    message: 'neither notes nor tags were given',
  });

export const runRouter = router({
  /** A page: who reads all of a list hands `nextCursor` back until it is null. */
  list: procedure.input(listRequest).query(({ ctx, input }) => pageRuns(ctx.db, withoutNow(input, ctx.now()))),

  count: procedure.input(filter).query(({ ctx, input }) => countRuns(ctx.db, withoutNow(input, ctx.now()))),

  /** How many runs have each value of a key of the configuration, in the order in which a list has its groups. */
  groups: procedure
    .input(filter.extend({ group: configPath }))
    .query(({ ctx, input }) => countGroups(ctx.db, withoutNow(input, ctx.now()))),

  tags: procedure.query(({ ctx }) => listTags(ctx.db)),

  get: procedure.input(z.object({ run: runId })).query(async ({ ctx, input }) => {
    const run = await getRun(ctx.db, input.run);
    if (!run) throw new TRPCError({ code: 'NOT_FOUND', message: `there is no run ${input.run}` });
    // As text: superjson refuses objects with keys such as "constructor", which a configuration may have.
    return { ...run, config: JSON.stringify(run.config), ...(await readFamily(ctx.db, run.id)) };
  }),

  /** Names of its custom scalars, in order; those beyond the limit are found by a search. */
  customNames: procedure.input(customNamesRequest).query(({ ctx, input }) => findCustomNames(ctx.db, input)),

  /** Notes and tags in place of the trainer's; its next attempts leave them alone. */
  describe: procedure.input(descriptionRequest).mutation(async ({ ctx, input }) => {
    await describeRun(ctx.db, { ...input, by: authorOf(ctx.principal, input.by) }, ctx.now());
    ctx.events.publish({ kind: 'run described', run: input.run });
  }),

  archive: procedure.input(archiveRequest).mutation(async ({ ctx, input }) => {
    await archiveRun(ctx.db, { ...input, by: authorOf(ctx.principal, input.by) }, ctx.now());
    ctx.events.publish({ kind: 'run archived', run: input.run, archived: input.archived });
  }),

  /** For good; `name` is the run's, typed by who deletes it. */
  delete: procedure.input(z.object({ run: runId, name })).mutation(async ({ ctx, input }) => {
    await deleteRun(ctx.db, input);
    ctx.events.publish({ kind: 'run deleted', run: input.run });
  }),

  /** Leaves a step out of charts and of the latest values, or brings it back; it stays stored. */
  removeStep: procedure.input(removeStepRequest).mutation(async ({ ctx, input }) => {
    const isChanged = await removeStep(ctx.db, { ...input, by: authorOf(ctx.principal, input.by) }, ctx.now());
    const { run, attempt, step, removed } = input;
    if (isChanged) ctx.events.publish({ kind: 'step removed', run, attempt, step, removed });
  }),

  /** What happened beside steps, alerts and commands: attempts that the server opened, conflicts, steps removed, archiving. */
  history: procedure
    .input(z.object({ run: runId, limit: z.number().int().min(1).max(200).default(100) }))
    .query(({ ctx, input }) => readHistory(ctx.db, input)),

  commands: procedure.input(commandsRequest).query(({ ctx, input }) => listCommands(ctx.db, input)),

  /** Resolves once the trainer has answered, or after some seconds: the command is then pending and goes out later. */
  command: slowProcedure.input(commandRequest).mutation(({ ctx, input }) => ctx.command(input)),
});
