import {
  type Database,
  listCustomNames,
  pageAlerts,
  pageCommands,
  pageHistory,
  pageRuns,
  RUN_SORT_KEYS,
} from '@evenkeel/db';
import {
  alertStatus,
  attemptNumber,
  MAX_SCALAR_NAME_LENGTH,
  name,
  readConfigFilters,
  runId,
  runStatus,
  severity,
  stepNumber,
  text,
} from '@evenkeel/protocol';
import { RULE_NAMES } from '@evenkeel/stability';
import { z } from 'zod';
import type { HttpStream } from './answer.ts';
import { alertPage, commandPage, eventPage, keyPage, run, runFacts, runPage, stepRow } from './answers.ts';
import { EXPORT_TYPES, openExport } from './export.ts';
import { findRun } from './find-run.ts';
import { configFilters, decimal, instant, integer, list, parameters } from './parameters.ts';
import { PARQUET_TYPE } from './parquet.ts';
import { ROW_FORMATS } from './row-formats.ts';
import { readRunFacts } from './run-facts.ts';
import { keyOfCustom, openTable } from './step-table.ts';

const MAX_ROWS = 200;
const MAX_KEYS = 1_000;
const MAX_CURSOR_LENGTH = 2_000;
const MS_PER_HOUR = 3_600_000;

/** What a route reads from. */
export interface ReadContext {
  db: Database;
  now: () => Date;
}

interface Described {
  /** Below the root of the API; what is in braces is a parameter. */
  path: string;
  operationId: string;
  summary: string;
  description: string;
  parameters: z.ZodObject;
}

/** A route that answers with JSON. */
export interface JsonRoute extends Described {
  answer: z.ZodType;
  read: (context: ReadContext, input: never) => Promise<unknown>;
}

/** A route that answers with a stream, as long as it is. */
export interface StreamRoute extends Described {
  /** The types of its answers, each with what a line holds; null where that is no JSON. */
  types: Readonly<Record<string, z.ZodType | null>>;
  open: (context: ReadContext, input: never) => Promise<HttpStream>;
}

/** One route of the HTTP reading API. */
export type HttpRoute = JsonRoute | StreamRoute;

/** Ties the types of a route together. */
function jsonRoute<Input extends z.ZodObject, Answer extends z.ZodType>(
  route: Described & {
    parameters: Input;
    answer: Answer;
    read: (context: ReadContext, input: z.output<Input>) => Promise<z.input<Answer>>;
  },
): JsonRoute {
  return route;
}

/** Likewise. */
function streamRoute<Input extends z.ZodObject>(
  route: Omit<StreamRoute, 'parameters' | 'open'> & {
    parameters: Input;
    open: (context: ReadContext, input: z.output<Input>) => ReturnType<StreamRoute['open']>;
  },
): StreamRoute {
  return route;
}

const limit = integer(z.number().int().min(1).max(MAX_ROWS)).default(100);
const cursor = text(MAX_CURSOR_LENGTH).optional().describe('`nextCursor` of the page before.');
const within = decimal(z.number().min(0).max(1_000_000)).optional();

const runs = jsonRoute({
  path: '/runs',
  operationId: 'listRuns',
  summary: 'List runs',
  description:
    'The newest first, unless sorted otherwise. The parameters are the filters and the order of the board’s address.',
  parameters: parameters({
    q: text(200).optional().describe('Part of a name, project, owner or tag.'),
    status: list(runStatus).optional().describe('Separated by commas.'),
    project: name.optional(),
    tag: text(200).optional(),
    config: configFilters
      .optional()
      .describe('Values of the configuration, `model.layers=4,lr=0.1`; a backslash escapes a dot, comma or sign.'),
    risk: decimal(z.number().min(0).max(1)).optional().describe('The minimum risk of divergence.'),
    within: within.describe('Started within so many hours before now.'),
    from: instant.optional(),
    before: instant.optional(),
    archived: z.stringbool().optional().describe('Archived runs only, which are left out otherwise.'),
    sort: z
      .enum(RUN_SORT_KEYS.flatMap((key) => [key, `-${key}` as const]))
      .optional()
      .describe('A minus sorts descending.'),
    limit,
    cursor,
  }),
  answer: runPage,
  read: ({ db, now }, { q, config, within: hours, from, before, sort, ...rest }) =>
    pageRuns(db, {
      ...rest,
      search: q,
      config: config === undefined ? undefined : readConfigFilters(config).filter((filter) => filter !== null),
      startedFrom: latest(dateOf(from), hoursBefore(now(), hours)),
      startedBefore: dateOf(before),
      sort: sortOf(sort),
    }),
});

function sortOf(sort: string | undefined) {
  const by = RUN_SORT_KEYS.find((key) => key === sort?.replace('-', ''));
  return by && { by, descending: sort !== by };
}

function hoursBefore(now: Date, hours: number | undefined): Date | undefined {
  return hours === undefined ? undefined : new Date(now.getTime() - hours * MS_PER_HOUR);
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

function latest(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one && other && one < other ? other : (one ?? other);
}

const oneRun = jsonRoute({
  path: '/runs/{run}',
  operationId: 'getRun',
  summary: 'Read a run',
  description: 'Its configuration, tags, status, attempts with their policies, latest values, and what was left out.',
  parameters: parameters({ run: runId }),
  answer: run,
  read: ({ db }, { run: id }) => findRun(db, id),
});

const keys = jsonRoute({
  path: '/runs/{run}/keys',
  operationId: 'listKeys',
  summary: 'List the custom scalars of a run',
  description: 'As the history has them, by code points.',
  parameters: parameters({
    run: runId,
    q: text(MAX_SCALAR_NAME_LENGTH).optional().describe('Part of a name.'),
    limit,
    cursor,
  }),
  answer: keyPage,
  read: async ({ db }, { run: id, q, limit: max, cursor: after }) => {
    await findRun(db, id);
    const names = await listCustomNames(db, { run: id, search: q, after, limit: max + 1 });
    const page = names.slice(0, max);
    return { keys: page.map(keyOfCustom), nextCursor: names.length > max ? (page.at(-1) ?? null) : null };
  },
});

const history = streamRoute({
  path: '/runs/{run}/history',
  operationId: 'readHistory',
  summary: 'Read the steps of a run',
  description:
    'Every step as it is stored, in ascending order, a line or row for each. Without `attempt` it is the run’s timeline: without steps that a later attempt superseded, and without outliers and removed steps. Read on behind a step with `from`.',
  parameters: parameters({
    run: runId,
    key: z
      .array(text(MAX_SCALAR_NAME_LENGTH + 'custom:'.length).min(1))
      .max(MAX_KEYS)
      .optional()
      .describe(
        'A field of a step or the name of a custom scalar; may be repeated. Steps that carry none of them are left out. Without it every scalar; arrays are given where they are named.',
      ),
    from: integer(stepNumber).optional().describe('The first step.'),
    to: integer(stepNumber).optional().describe('The last step.'),
    attempt: integer(attemptNumber).optional().describe('Every step that this attempt stored, superseded or not.'),
    limit: integer(z.number().int().min(1)).optional().describe('Rows at most.'),
    format: z.enum(Object.keys(ROW_FORMATS) as (keyof typeof ROW_FORMATS)[]).default('ndjson'),
  }),
  types: { 'application/x-ndjson': stepRow, 'text/csv': null, [PARQUET_TYPE]: null },
  open: async ({ db }, { key, format, ...rest }) => {
    const table = await openTable(db, { ...rest, keys: key ?? 'scalars' });
    const { type, write } = ROW_FORMATS[format];
    return { type, filename: null, pieces: write(table) };
  },
});

const exported = streamRoute({
  path: '/runs/{run}/export',
  operationId: 'exportRun',
  summary: 'Export a run as a file',
  description:
    'All that its steps carry, arrays too. `parquet` and `csv` are tables, with the columns of a history; a Parquet file has what `/facts` answers as its metadata `evenkeel.run`. `jsonl` is a recording, which `evenkeel import` reads: the run’s description, and every attempt with all steps that it stored, but not those that a person has removed.',
  parameters: parameters({
    run: runId,
    attempt: integer(attemptNumber)
      .optional()
      .describe('This attempt alone. Without it the run’s timeline, and of a recording every attempt.'),
    format: z.enum(Object.keys(EXPORT_TYPES) as (keyof typeof EXPORT_TYPES)[]).default('parquet'),
  }),
  types: { [PARQUET_TYPE]: null, 'text/csv': null, 'application/x-ndjson': null },
  open: ({ db }, input) => openExport(db, input),
});

const facts = jsonRoute({
  path: '/runs/{run}/facts',
  operationId: 'readFacts',
  summary: 'Read all that is known of a run besides its steps',
  description: 'The run with its newest 1,000 alerts, commands and events.',
  parameters: parameters({ run: runId }),
  answer: runFacts,
  read: ({ db }, { run: id }) => readRunFacts(db, id),
});

const alerts = jsonRoute({
  path: '/alerts',
  operationId: 'listAlerts',
  summary: 'List alerts',
  description: 'The newest first. Without `run`, the alerts of archived runs are left out.',
  parameters: parameters({
    run: runId.optional(),
    status: list(alertStatus).optional().describe('Separated by commas.'),
    rule: list(z.enum(RULE_NAMES)).optional().describe('Separated by commas.'),
    severity: severity.optional(),
    project: name.optional(),
    q: text(200).optional().describe('Part of the run’s name.'),
    within: within.describe('Opened within so many hours before now.'),
    limit,
    cursor,
  }),
  answer: alertPage,
  read: async ({ db, now }, { q, within: hours, ...rest }) => {
    if (rest.run !== undefined) await findRun(db, rest.run);
    const page = await pageAlerts(db, { ...rest, search: q, openedFrom: hoursBefore(now(), hours) });
    return { alerts: page.rows, nextCursor: page.nextCursor };
  },
});

const commands = jsonRoute({
  path: '/runs/{run}/commands',
  operationId: 'listCommands',
  summary: 'List the commands of a run',
  description: 'What its trainer was asked to do, by whom, and with which result; the newest first.',
  parameters: parameters({
    run: runId,
    alert: z.uuid().optional().describe('Only those that answered this alert.'),
    limit,
    cursor,
  }),
  answer: commandPage,
  read: async ({ db }, input) => {
    await findRun(db, input.run);
    const { rows, nextCursor } = await pageCommands(db, input);
    return { commands: rows, nextCursor };
  },
});

const events = jsonRoute({
  path: '/runs/{run}/events',
  operationId: 'listEvents',
  summary: 'List what else happened to a run',
  description:
    'Attempts that the server opened, conflicts between emitters, steps that were removed, archiving; the newest first.',
  parameters: parameters({ run: runId, limit, cursor }),
  answer: eventPage,
  read: async ({ db }, input) => {
    await findRun(db, input.run);
    const { rows, nextCursor } = await pageHistory(db, input);
    return { events: rows, nextCursor };
  },
});

/** Every route of the HTTP reading API, below {@link HTTP_API_PATH}. */
export const HTTP_ROUTES: readonly HttpRoute[] = [
  runs,
  oneRun,
  keys,
  history,
  exported,
  facts,
  alerts,
  commands,
  events,
];
