import type { DroppedValue, EndStatus, OpenAlert, Policy, RunNames, RunStatus } from '@evenkeel/protocol';
import { asc, eq, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { attempt, droppedValue, project, run } from '../tables/schema.ts';
import { openAlertsOf } from './alert-list.ts';
import { type AttemptKey, namesOfKeys } from './attempt-key.ts';
import { readDropped } from './dropped.ts';

export interface RunSummary {
  id: string;
  project: string;
  name: string;
  status: RunStatus;
  reason: string | null;
  owner: string | null;
  tags: string[];
  startedAt: Date;
  endedAt: Date | null;
  /** When the server last received anything of the run. */
  lastSeenAt: Date;
  /** The newest step of the newest attempt that has one, and what it measured. */
  lastStep: number | null;
  loss: number | null;
  tevMean: number | null;
  /** Of divergence within 100 steps, as last forecast; null where nothing was. */
  risk: number | null;
  divergenceStep: number | null;
  divergenceInterval: [number, number] | null;
  /** When it was archived; lists leave it out since then. */
  archivedAt: Date | null;
  /** How many values were left out of its steps. */
  droppedValues: number;
  /** Every alert that is not resolved, the newest first. */
  openAlerts: OpenAlert[];
}

interface AttemptSummary {
  number: number;
  status: EndStatus | null;
  policy: Policy;
  startedAt: Date;
  endedAt: Date | null;
  firstStep: number | null;
  lastStep: number | null;
  /** Steps that are left out of charts: they look wrong, or a person has removed them. */
  outliers: number[];
  removed: number[];
  /** The attempt that its emitter believes to send; null where that is this one. */
  startedAs: number | null;
  /** Values for which two emitters of it sent different numbers. */
  conflicts: number;
  /** The keys that started it: none without keys, more than one if another key took over the run. */
  keys: AttemptKey[];
}

export interface RunDetail extends RunSummary {
  config: Record<string, unknown>;
  notes: string;
  /** When a person wrote the notes or the tags in place of the trainer's, and who did last; null where nobody has. */
  notesEditedAt: Date | null;
  tagsEditedAt: Date | null;
  editedBy: string | null;
  layers: string[];
  /** The names under which its trainer reports what became fields of its steps; empty where it calls them as they are. */
  names: RunNames;
  /** Values that were left out of its steps. */
  dropped: DroppedValue[];
  attempts: AttemptSummary[];
}

const DROPPED_VALUES = sql<number>`(
  select coalesce(sum(${droppedValue.count}), 0) from ${droppedValue} where ${droppedValue.run} = ${run.id}
)`.mapWith(Number);

/** The columns of a {@link RunSummary}, but its alerts. */
export const SUMMARY = {
  id: run.id,
  project: project.name,
  name: run.name,
  status: run.status,
  reason: run.reason,
  owner: run.owner,
  tags: run.tags,
  startedAt: run.startedAt,
  endedAt: run.endedAt,
  lastSeenAt: run.lastSeenAt,
  lastStep: run.lastStep,
  loss: run.loss,
  tevMean: run.tevMean,
  risk: run.risk,
  divergenceStep: run.divergenceStep,
  divergenceInterval: run.divergenceInterval,
  archivedAt: run.archivedAt,
  droppedValues: DROPPED_VALUES,
};

export async function getRun(db: Database, id: string): Promise<RunDetail | null> {
  const { config, notes, notesEditedAt, tagsEditedAt, editedBy, layers, names } = run;
  const [found] = await db.sql
    .select({ ...SUMMARY, config, notes, notesEditedAt, tagsEditedAt, editedBy, layers, names })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(eq(run.id, id));
  if (!found) return null;
  const attempts = await db.sql
    .select({
      number: attempt.number,
      status: attempt.status,
      policy: attempt.policy,
      startedAt: attempt.startedAt,
      endedAt: attempt.endedAt,
      firstStep: attempt.firstStep,
      lastStep: attempt.lastStep,
      outliers: attempt.outliers,
      removed: attempt.removed,
      startedAs: attempt.startedAs,
      conflicts: attempt.conflicts,
      keyIds: attempt.keyIds,
    })
    .from(attempt)
    .where(eq(attempt.run, id))
    .orderBy(asc(attempt.number));
  const keyOf = await namesOfKeys(
    db,
    attempts.flatMap(({ keyIds }) => keyIds),
  );
  const alertsOf = await openAlertsOf(db, [id]);
  const dropped = await readDropped(db, id);
  return {
    ...found,
    openAlerts: alertsOf(id),
    attempts: attempts.map(({ keyIds, ...rest }) => ({ ...rest, keys: keyIds.map(keyOf) })),
    dropped,
  };
}
