import type {
  Action,
  AlertStatus,
  CommandStatus,
  EndStatus,
  Policy,
  Rule,
  RuleSettings,
  RunStatus,
  Severity,
} from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import {
  bigint,
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

export const project = pgTable('project', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull().unique(),
  createdAt: instant('created_at').notNull(),
  /** What the rules are told for its runs; what is absent is as the rules have it by default. */
  rules: jsonb().$type<RuleSettings>().notNull().default({}),
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
    /** Names of the custom scalars, in the order of `step.custom`; grows, never reorders. */
    customNames: text('custom_names').array().notNull(),
    startedAt: instant('started_at').notNull(),
    endedAt: instant('ended_at'),
    /** When the server last heard of the run. */
    heardAt: instant('heard_at').notNull(),
    /** The key that it belongs to; null where it was started without one, until the first key goes on with it. */
    keyId: uuid('key_id').references(() => apiKey.id),
    archivedAt: instant('archived_at'),
    /** The newest step of the newest attempt, repeated here so that a list of runs reads no steps. */
    lastStep: count('last_step'),
    loss: doublePrecision(),
    tevMean: doublePrecision('tev_mean'),
    /** The newest row of `forecast`, likewise. */
    risk: doublePrecision(),
    divergenceStep: count('divergence_step'),
    divergenceInterval: count('divergence_interval').array().$type<[number, number]>(),
  },
  (t) => [index('run_started_at').on(t.startedAt), index('run_project').on(t.projectId, t.startedAt)],
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
    /** Every rollup bucket that ends at or below this step is right, except those that hold a stale one. */
    rolledTo: count('rolled_to').notNull(),
    /** Starts of the smallest buckets below `rolledTo` whose steps changed since. */
    stale: count('stale').array().notNull(),
    /** The last step that was judged. */
    judgedTo: count('judged_to'),
    /** What the detector remembered then; after a restart it goes on from here. */
    detector: jsonb().$type<unknown>(),
  },
  (t) => [primaryKey({ columns: [t.run, t.number] })],
);

/** One optimiser update. Null is what the step did not carry; NaN and infinities are values. */
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
    /** By the run's `custom_names`; an element is null where the step lacks that scalar. */
    custom: real().array(),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.step] })],
);

/** The scalars of a step that are charted, in the order of the arrays of `rollup`. */
export const CHART_METRICS = ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr'] as const;
export type ChartMetric = (typeof CHART_METRICS)[number];

/** Steps in a bucket of each level; each level is made from the one before it. */
export const ROLLUP_SIZES = [64, 512, 4096] as const;

/**
 * What a bucket of `size` steps held. Arrays are by metric, in the order of `CHART_METRICS`, then of the run's
 * `custom_names`, as far as they were known; what lies beyond an array's end was not there.
 * Double precision, because a finite loss may lie beyond the range of `real`; a sum, because it adds up to the next
 * level's without a division.
 */
export const rollup = pgTable(
  'rollup',
  {
    run: uuid().notNull(),
    attempt: integer().notNull(),
    size: smallint().notNull(),
    /** The first step of the bucket, a multiple of `size`. */
    start: count('start').notNull(),
    /** Least, greatest and sum of the finite values; null where there is none. */
    min: doublePrecision().array().notNull(),
    max: doublePrecision().array().notNull(),
    sum: doublePrecision().array().notNull(),
    /** How many values were finite, and how many were not. */
    finite: smallint().array().notNull(),
    nonFinite: smallint('non_finite').array().notNull(),
    /** Of the first of its steps. */
    time: instant('time').notNull(),
    /** Of the first of its steps that tells. */
    tokens: count('tokens'),
    /** The first of its steps that carries each of the arrays of a step, in the order of `STEP_ARRAYS`. */
    arraySteps: count('array_steps').array().notNull(),
  },
  (t) => [primaryKey({ columns: [t.run, t.attempt, t.size, t.start] })],
);

export const alert = pgTable(
  'alert',
  {
    id: uuid().notNull(),
    run: uuid()
      .notNull()
      .references(() => run.id, { onDelete: 'cascade' }),
    rule: text().$type<Rule>().notNull(),
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
    /** The newest note of a person, and whose it is; null where that was not told. */
    note: text(),
    notedBy: text('noted_by'),
    notedAt: instant('noted_at'),
  },
  (t) => [
    primaryKey({ columns: [t.run, t.id] }),
    uniqueIndex('alert_one_unresolved').on(t.run, t.rule).where(sql`${t.status} <> 'resolved'`),
    index('alert_opened_at').on(t.openedAt),
  ],
);

/** What a run's trainer was told to do, and what came of it. */
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
    /** A rule, or the name of a person; null where that was not told. */
    by: text(),
    reason: text().notNull(),
    /** The alert that the run's policy answers with it; null where a person gave it. */
    alert: uuid(),
    /** The newest step when it was given. */
    step: count('step'),
    status: text().$type<CommandStatus>().notNull(),
    /** What came of it, or why nothing did, in the trainer's words. */
    result: text(),
    error: text(),
    createdAt: instant('created_at').notNull(),
    acknowledgedAt: instant('acknowledged_at'),
    /** When the trainer told that it is done or has failed, or it expired. */
    settledAt: instant('settled_at'),
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
