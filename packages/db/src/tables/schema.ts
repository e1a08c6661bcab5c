import {
  type Action,
  type AlertChange,
  type AlertFeedback,
  type AlertStatus,
  type CommandStatus,
  type ConsoleStream,
  type EndStatus,
  MIN_STEP,
  type Policy,
  type ProjectNames,
  type RunNames,
  type RunStatus,
  type Severity,
} from '@evenkeel/protocol';
import type { Jump, RuleSettings } from '@evenkeel/stability';
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  smallint,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

// Every table that grows leads its key with the run, so that it can be partitioned by run.

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const count = (name: string) => bigint(name, { mode: 'number' });

/** What a line of a run's history reports. */
export type HistoryKind =
  | 'attempt opened'
  | 'steps not acted on'
  | 'conflict'
  | 'report'
  | 'step removed'
  | 'step restored'
  | 'run archived'
  | 'run restored';

export const project = pgTable('project', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull().unique(),
  createdAt: instant('created_at').notNull(),
  /** Rule settings of its runs; what is absent has the default of its rule. */
  rules: jsonb().$type<RuleSettings>().notNull().default({}),
  /** What names of metrics stand for in its runs, where a person has decided that. */
  names: jsonb().$type<ProjectNames>().notNull().default({}),
});

export const run = pgTable(
  'run',
  {
    id: uuid().primaryKey(),
    projectId: integer('project_id')
      .notNull()
      .references(() => project.id),
    name: text().notNull(),
    status: text().$type<RunStatus>().notNull(),
    /** Why the run ended, in the words of who ended it. */
    reason: text(),
    config: jsonb().$type<Record<string, unknown>>().notNull(),
    owner: text(),
    tags: text().array().notNull(),
    notes: text().notNull(),
    /** When a person wrote notes or tags in place of the trainer's, which later attempts then leave alone; and who. */
    notesEditedAt: instant('notes_edited_at'),
    tagsEditedAt: instant('tags_edited_at'),
    editedBy: text('edited_by'),
    /** Names of the layers, in the order of `step.layer_grad_var` and `step.layer_out_var`. */
    layers: text().array().notNull(),
    /** The names under which its trainer reports what became fields of its steps. */
    names: jsonb().$type<RunNames>().notNull().default({}),
    /** Distinguishes the run from a deleted one of the same id. */
    serial: bigint({ mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    /** How many rows the run has in `scalar_name` and `scalar_set`. */
    scalarNames: integer('scalar_names').notNull().default(0),
    scalarSets: integer('scalar_sets').notNull().default(0),
    startedAt: instant('started_at').notNull(),
    endedAt: instant('ended_at'),
    /** When the server last received anything of the run. */
    lastSeenAt: instant('last_seen_at').notNull(),
    /** The key that it belongs to; null where it was started without one, until the first key goes on with it. */
    keyId: uuid('key_id').references(() => apiKey.id),
    archivedAt: instant('archived_at'),
    /** What the newest attempt reported last by its own clock, repeated here so that a list of runs reads no steps. */
    latestAttempt: integer('latest_attempt'),
    lastStep: count('last_step'),
    lastTime: doublePrecision('last_time'),
    loss: doublePrecision(),
    lossStep: count('loss_step'),
    lossTime: doublePrecision('loss_time'),
    tevMean: doublePrecision('tev_mean'),
    tevMeanStep: count('tev_mean_step'),
    tevMeanTime: doublePrecision('tev_mean_time'),
    /** The newest row of `forecast`, likewise. */
    risk: doublePrecision(),
    divergenceStep: count('divergence_step'),
    divergenceInterval: count('divergence_interval').array().$type<[number, number]>(),
  },
  (t) => [index('run_started_at').on(t.startedAt), index('run_project').on(t.projectId, t.startedAt)],
);

/** How a run is known to the client of another tracker that sends it. */
export const runSource = pgTable(
  'run_source',
  {
    run: uuid()
      .primaryKey()
      .references(() => run.id, { onDelete: 'cascade' }),
    /** The way in, such as `wandb`. */
    door: text().notNull(),
    /** The client's own id of the run, unique by door. */
    externalId: text('external_id').notNull(),
    /** The run that it is a part of. */
    parent: uuid(),
    /** What its client may ask for again, and a run has no place for. */
    state: jsonb().$type<Record<string, unknown>>().notNull(),
  },
  (t) => [uniqueIndex('run_source_once').on(t.door, t.externalId), index('run_source_parent').on(t.parent)],
);

export const attempt = pgTable(
  'attempt',
  {
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    number: integer().notNull(),
    /** The keys that started it, in order: one, and another behind it where that took the run over. */
    keyIds: uuid('key_ids').array().notNull().default([]),
    startedAt: instant('started_at').notNull(),
    endedAt: instant('ended_at'),
    status: text().$type<EndStatus>(),
    /** What it wants done about alerts. */
    policy: jsonb()
      .$type<Policy>()
      .notNull()
      .default({ warning: { kind: 'observe' }, critical: { kind: 'observe' } }),
    /** The attempt owns the run's timeline from here on, until a later attempt's first step. */
    firstStep: count('first_step'),
    lastStep: count('last_step'),
    /** Steps whose numbers look wrong, ascending, all ahead of the last: neither bound counts them. */
    outliers: count('outliers').array().notNull().default([]),
    /** Jumps of the step numbers that later steps may yet show to be wrong. */
    jumps: jsonb().$type<readonly Jump[]>().notNull().default([]),
    /** Steps that a person has removed, likewise. */
    removed: count('removed').array().notNull().default([]),
    /** Tokens of the emitters that asked for the next attempt, or to resume, and were given this one; the newest. */
    sessions: uuid().array().notNull().default([]),
    /** The attempt that its emitter believes to send; null where that is this one. */
    startedAs: integer('started_as'),
    /** Values for which two emitters of it sent different numbers. */
    conflicts: integer().notNull().default(0),
    /** Every row of `rollup` whose span ends at or below this step is right, except those that hold a stale span. */
    rolledTo: count('rolled_to').notNull().default(MIN_STEP),
    /** Starts of the spans of {@link STALE_SPAN} steps below `rolledTo` or `rollingTo` whose steps changed since. */
    stale: count('stale').array().notNull().default([]),
    /** Up to where rows of `rollup` are being built, in several transactions; they count once `rolledTo` is there. */
    rollingTo: count('rolling_to').notNull().default(MIN_STEP),
    /** Those of `stale` that were added since the last build of rows began. */
    changed: count('changed').array().notNull().default([]),
    /** The number of that build: one that finds another number here leaves the rest to the other. */
    build: integer().notNull().default(0),
    /** The last step that was judged. */
    judgedTo: count('judged_to'),
    /** What the detector remembered then; after a restart it goes on from here. */
    detector: jsonb().$type<unknown>(),
    /** The step at which the run diverged, as this attempt left it; null where it did not, or that is not known. */
    onset: count('onset'),
    /** The last step when that was looked for, once the run was over. */
    onsetTo: count('onset_to'),
  },
  (t) => [primaryKey({ columns: [t.run, t.number] })],
);

/**
 * One optimizer update: a column for each of `STEP_FIELDS`. Null is what the step did not carry; NaN and infinities are
 * values.
 */
export const step = pgTable(
  'step',
  {
    run: uuid().notNull(),
    attempt: integer().notNull(),
    step: count('step').notNull(),
    time: instant('time').notNull(),
    loss: doublePrecision(),
    tevMean: doublePrecision('tev_mean'),
    tevStd: doublePrecision('tev_std'),
    gradVar: doublePrecision('grad_var'),
    gradNorm: doublePrecision('grad_norm'),
    lr: doublePrecision(),
    tokens: count('tokens'),
    /** At 0, 1, 5, 25, 50, 75, 95, 99 and 100 % of the vocabulary. */
    tevQuantiles: real('tev_quantiles').array(),
    layerGradVar: real('layer_grad_var').array(),
    layerOutVar: real('layer_out_var').array(),
    lrAhead: doublePrecision('lr_ahead'),
    updateShare: doublePrecision('update_share'),
    updateRms: doublePrecision('update_rms'),
    attentionLogitMax: doublePrecision('attention_logit_max'),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.step] })],
);

/** The name of a custom scalar of a run. */
export const scalarName = pgTable(
  'scalar_name',
  {
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    /** From 0, in the order in which the names were first seen. */
    id: integer().notNull(),
    name: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.id] }), uniqueIndex('scalar_name_once').on(t.run, t.name)],
);

/** Custom scalars that were reported together, so that rows of values need not repeat which they are of. */
export const scalarSet = pgTable(
  'scalar_set',
  {
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    id: integer().notNull(),
    /** Ids of `scalar_name`, ascending. */
    names: integer().array().notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.id] })],
);

/** Custom scalars of one step that were reported together. A step that was reported in parts has a row for each. */
export const scalarValues = pgTable(
  'scalar_values',
  {
    run: uuid().notNull(),
    attempt: integer().notNull(),
    step: count('step').notNull(),
    set: integer().notNull(),
    /** Of the set's names, in their order. */
    values: doublePrecision().array().notNull(),
    /** Rises with every report: of two values of one name in one step the one with the greater version counts. */
    version: bigserial({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.step, t.set] })],
);

/** Values that were left out of the steps of an attempt, by field and reason. */
export const droppedValue = pgTable(
  'dropped_value',
  {
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    field: text().notNull(),
    /** One of the protocol's `DROP_REASONS`, or a client's own. */
    reason: text().notNull(),
    /** Who left them out: the session of a client, or empty for the server. */
    source: text().notNull().default(''),
    count: count('count').notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.field, t.reason, t.source] })],
);

/**
 * The console output of a run as a whole. Whoever stores lines changes this row first, so that lines of one run are
 * committed in the order of their revisions, without a lock on the run, for which its steps would wait.
 */
export const consoleOutput = pgTable('console_output', {
  run: uuid()
    .primaryKey()
    .references(() => run.id, { onDelete: 'cascade' }),
  /** Rises with every message of lines. */
  revision: count('revision').notNull(),
  /** Who wrote lines, in the order of their first ones: the sessions of clients, and null where none of the lines is left. */
  sessions: uuid().array().$type<(string | null)[]>().notNull(),
  /** Rows of `console_line`. */
  lines: integer().notNull(),
});

/** The newest lines of a run's console output. A line that was sent again holds its newest text. */
export const consoleLine = pgTable(
  'console_line',
  {
    run: uuid().notNull(),
    attempt: integer().notNull(),
    /** The place of who wrote it in `console_output.sessions`: each counts its lines from 0. */
    writer: integer().notNull(),
    line: count('line').notNull(),
    time: instant('time').notNull(),
    stream: text().$type<ConsoleStream>().notNull(),
    text: text().notNull(),
    /** Characters that were cut off its end. */
    cut: count('cut').notNull(),
    /** Of `console_output`, when it was stored. */
    revision: count('revision').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.run, t.attempt, t.writer, t.line] }),
    index('console_line_revision').on(t.run, t.revision),
  ],
);

/** Steps in a bucket of each level above the raw values; each level is made from the one before it. */
export const ROLLUP_SIZES = [64, 512, 4096] as const;

/** Level 1 holds raw values, of custom scalars alone: the row of one of thousands is found without reading the others. */
export const RAW_SIZE = 1;

/** Buckets in a row of each level, so that a row stays well below the 2 KB from which PostgreSQL stores it apart. */
const RAW_ROW = 128;
const ROLLUP_ROW = 32;

/** Steps that a row of a level spans. */
export function rowSpan(size: number): number {
  return size * (size === RAW_SIZE ? RAW_ROW : ROLLUP_ROW);
}

/** The shortest span of a row: what changed below `rolled_to` is remembered by spans of as many steps. */
export const STALE_SPAN = rowSpan(RAW_SIZE);

/**
 * A row is one metric over many buckets, so that a chart reads its own metrics alone. Arrays are by bucket, without the
 * buckets that have no value. Double precision, because a finite loss may lie beyond the range of `real`; a sum, because
 * it adds up to the next level's without a division.
 */
export const rollup = pgTable(
  'rollup',
  {
    run: uuid().notNull(),
    attempt: integer().notNull(),
    /** Of a field's row in `STEP_FIELDS`, or 1000 and the id of a `scalar_name`. */
    metric: integer().notNull(),
    /** Steps in a bucket. */
    size: smallint().notNull(),
    /** The first step of the row, a multiple of the steps that it spans. */
    start: count('start').notNull(),
    /** Which buckets there are, counted from the row's first; null where all are. */
    offsets: smallint().array(),
    /** Of the finite values of each bucket, null where there is none. At level 1 the values themselves. */
    min: doublePrecision().array().notNull(),
    /** Null at level 1, like the three after it. */
    max: doublePrecision().array(),
    sum: doublePrecision().array(),
    /** How many values were finite, and how many were not. */
    finite: smallint().array(),
    nonFinite: smallint('non_finite').array(),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.metric, t.size, t.start] })],
);

export const alert = pgTable(
  'alert',
  {
    id: uuid().notNull(),
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    rule: text().notNull(),
    severity: text().$type<Severity>().notNull(),
    status: text().$type<AlertStatus>().notNull(),
    attempt: integer().notNull(),
    step: count('step').notNull(),
    message: text().notNull(),
    evidence: jsonb().$type<Record<string, number>>().notNull(),
    /** First and last step that the rule looked at. */
    window: count('window').array().$type<[number, number]>().notNull(),
    risk: doublePrecision(),
    divergenceStep: count('divergence_step'),
    openedAt: instant('opened_at').notNull(),
    acknowledgedAt: instant('acknowledged_at'),
    resolvedAt: instant('resolved_at'),
    /** The newest note of a person, and who wrote it; null where unknown. */
    note: text(),
    notedBy: text('noted_by'),
    notedAt: instant('noted_at'),
    /** Whether a person calls it right, and who; null where unknown. */
    feedback: text().$type<AlertFeedback>(),
    feedbackBy: text('feedback_by'),
    feedbackAt: instant('feedback_at'),
  },
  (t) => [
    primaryKey({ columns: [t.run, t.id] }),
    uniqueIndex('alert_one_unresolved').on(t.run, t.rule).where(sql`${t.status} <> 'resolved'`),
    index('alert_opened_at').on(t.openedAt),
  ],
);

/**
 * The history of an alert, written with each change: what is to be notified of cannot be lost. Without a reference to
 * `run`, whose row it would lock after the alert's, against the order of all others.
 */
export const alertEvent = pgTable(
  'alert_event',
  {
    /** In the order in which changes were made; two that are made at once may be committed in the other. */
    id: bigserial({ mode: 'number' }).notNull(),
    run: uuid().notNull(),
    alert: uuid().notNull(),
    kind: text().$type<AlertChange>().notNull(),
    /** Of the alert. */
    attempt: integer().notNull(),
    at: instant('at').notNull(),
    /** The person, or the ingest key, that changed it; null where the server did, or unknown. */
    by: text(),
    /** The alert as it became, as JSON. */
    payload: jsonb().$type<Record<string, unknown>>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.id] }), index('alert_event_id').on(t.id)],
);

/** A command for a run's trainer, and its result. */
export const command = pgTable(
  'command',
  {
    id: uuid().notNull(),
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    /** Whom it is for: a later attempt does not obey it. */
    attempt: integer().notNull(),
    kind: text().$type<Action['kind']>().notNull(),
    /** Of `reduce-lr` alone. */
    factor: doublePrecision(),
    /** A rule, or the name of a person; null where unknown. */
    by: text(),
    reason: text().notNull(),
    /** The alert that the run's policy answers with it; null where a person gave it. */
    alert: uuid(),
    /** The newest step when it was given. */
    step: count('step'),
    status: text().$type<CommandStatus>().notNull(),
    /** The result, or why there is none, in the trainer's words. */
    result: text(),
    error: text(),
    createdAt: instant('created_at').notNull(),
    acknowledgedAt: instant('acknowledged_at'),
    /** When the trainer reported that it is done or has failed, or it expired. */
    settledAt: instant('settled_at'),
  },
  (t) => [primaryKey({ columns: [t.run, t.id] })],
);

/** What happened to a run beside its steps, alerts and commands. */
export const runHistory = pgTable(
  'run_history',
  {
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    id: bigserial({ mode: 'number' }).notNull(),
    attempt: integer().notNull(),
    kind: text().$type<HistoryKind>().notNull(),
    /** The step that it is about; null where it is about the attempt. */
    step: count('step'),
    /** Who did it; null where the server did, or that is not known. */
    by: text(),
    /** A sentence for a person. */
    reason: text().notNull(),
    at: instant('at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.id] })],
);

/** What was forecast at a step of an attempt, at those steps where it changed; it holds until the next. */
export const forecast = pgTable(
  'forecast',
  {
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    step: count('step').notNull(),
    /** Of divergence within 100 steps, from 0 to 1. */
    risk: doublePrecision().notNull(),
    divergenceStep: count('divergence_step'),
    /** Holds the divergence four times of five. */
    divergenceInterval: count('divergence_interval').array().$type<[number, number]>(),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.step] })],
);

/** A way to look at the board, under a name that all see. */
export const view = pgTable('view', {
  name: text().primaryKey(),
  /** Its filters, sort and groups, as in the query of its address. */
  query: text().notNull(),
  createdAt: instant('created_at').notNull(),
});

/** A key for `/ingest`. The secret itself is shown once and never stored. */
export const apiKey = pgTable('api_key', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  /** SHA-256 of the secret, which has 256 random bits and so needs no salt or stretching. */
  hash: text().notNull().unique(),
  createdAt: instant('created_at').notNull(),
  lastUsedAt: instant('last_used_at'),
  revokedAt: instant('revoked_at'),
});
