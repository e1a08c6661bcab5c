import { type Database, getRun, listAlerts, listRuns, type RunDetail, readSignals, startOfNewest } from '@evenkeel/db';
import { type Alert, SEVERITIES, type Severity } from '@evenkeel/protocol';
import {
  type ReplayedAttempt,
  type RuleSettings,
  STEP_RULE_NAMES,
  type StepRuleName,
  Trial,
  type TriedAlert,
} from '@evenkeel/stability';
import { TRPCError } from '@trpc/server';

/** Of a run, the newest: as many as a server reads in some seconds, a chunk at a time. */
const MAX_STEPS = 200_000;
/** Once so many are read no further run is begun, and the answer says where to go on. */
const STEPS_PER_ANSWER = 200_000;
/** Listed of one rule and run; all are counted. */
const MAX_LISTED = 20;
/** Alerts of a run that are read. */
const MAX_ALERTS = 1_000;

type PlacedAlert = Pick<Alert, 'attempt' | 'step' | 'severity'>;

interface Raised {
  count: number;
  /** The worst of them; null where there are none. */
  worst: Severity | null;
  /** The first of them. */
  alerts: PlacedAlert[];
}

export interface TriedRun extends Pick<RunDetail, 'id' | 'name' | 'status' | 'startedAt' | 'lastStep'> {
  newestAttempt: number;
  /** Where the run as it stands now has diverged; null where it has not. */
  divergedAt: number | null;
  /** Where the steps that were tried begin; null where they are all there are. Alerts from before are left out. */
  triedFrom: { attempt: number; step: number } | null;
  /** Of each rule, what the settings would have raised, and what was raised. */
  rules: Record<StepRuleName, { tried: Raised; had: Raised }>;
}

export interface TriedRuns {
  runs: TriedRun[];
  /** How many runs the trial is of, whether they are in this answer or another. */
  of: number;
  maxSteps: number;
  /** Where the next answer begins; null behind the last run. */
  nextCursor: number | null;
}

interface TrialRequest {
  project: string;
  settings: RuleSettings;
  /** How many of the project's runs, the newest first. */
  runs: number;
  cursor: number;
}

/** What the rules would have raised in a project's newest runs with other settings. */
export async function tryRules(
  db: Database,
  { project, settings, runs: limit, cursor }: TrialRequest,
  signal: AbortSignal | undefined,
): Promise<TriedRuns> {
  const newest = await listRuns(db, { project, limit });
  const runs: TriedRun[] = [];
  let steps = 0;
  for (const { id } of newest.slice(cursor)) {
    if (steps >= STEPS_PER_ANSWER) break;
    const run = await getRun(db, id);
    if (!run) continue; // deleted since
    const tried = await tryRun(db, run, settings, signal);
    runs.push(tried.run);
    steps += tried.steps;
  }
  const next = cursor + runs.length;
  return { runs, of: newest.length, maxSteps: MAX_STEPS, nextCursor: next < newest.length ? next : null };
}

async function tryRun(db: Database, run: RunDetail, settings: RuleSettings, signal: AbortSignal | undefined) {
  if (signal?.aborted) throw new TRPCError({ code: 'CLIENT_CLOSED_REQUEST' });
  const attempts = attemptsOf(run);
  const known = new Set(attempts.map(({ number }) => number)); // others have begun since
  const triedFrom = await startOfNewest(db, { run: run.id, steps: MAX_STEPS });
  const trial = new Trial(attempts, settings);
  let steps = 0;
  for await (const chunk of readSignals(db, { run: run.id, from: triedFrom })) {
    if (signal?.aborted) throw new TRPCError({ code: 'CLIENT_CLOSED_REQUEST' });
    for (const { attempt, ...signals } of chunk) if (known.has(attempt)) trial.observe(attempt, signals);
    steps += chunk.length;
  }
  const listed = await listAlerts(db, { run: run.id, rule: STEP_RULE_NAMES, limit: MAX_ALERTS });
  const had = listed.filter((alert) => triedFrom === null || isBehind(alert, triedFrom)).sort(inOrder);
  const { id, name, status, startedAt, lastStep } = run;
  const facts = { id, name, status, startedAt, lastStep, newestAttempt: run.attempts.at(-1)?.number ?? 1 };
  const rules = Object.fromEntries(
    STEP_RULE_NAMES.map((rule) => [rule, { tried: raisedBy(rule, trial.alerts), had: raisedBy(rule, had) }]),
  ) as TriedRun['rules'];
  return { run: { ...facts, divergedAt: trial.divergedAt, triedFrom, rules }, steps };
}

function attemptsOf({ attempts }: RunDetail): ReplayedAttempt[] {
  return attempts.flatMap(({ number, firstStep, status }) =>
    firstStep === null ? [] : [{ number, firstStep, hasEnded: status !== null }],
  );
}

function raisedBy(rule: StepRuleName, alerts: readonly (TriedAlert | Alert)[]): Raised {
  const own = alerts.filter((alert) => alert.rule === rule);
  const placed = own.map(({ attempt, step, severity }) => ({ attempt, step, severity }));
  const worst = SEVERITIES.findLast((severity) => own.some((alert) => alert.severity === severity)) ?? null;
  return { count: own.length, worst, alerts: placed.slice(0, MAX_LISTED) };
}

type Place = Pick<PlacedAlert, 'attempt' | 'step'>;

function inOrder(one: Place, other: Place): number {
  return one.attempt - other.attempt || one.step - other.step;
}

function isBehind(place: Place, start: Place): boolean {
  return inOrder(place, start) >= 0;
}
