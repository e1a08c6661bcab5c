import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Database,
  type ForecastPoint,
  judgedTo,
  listAlerts,
  markJudged,
  noteForecasts,
  raiseAlert,
  recentSteps,
  resolveRule,
  resolveStaleAlerts,
  rulesOfRun,
} from '@evenkeel/db';
import type { Alert, EventPort, StepBatch, StepEvent } from '@evenkeel/protocol';
import {
  Detector,
  type DetectorState,
  type Finding,
  RULE_NAMES,
  type RuleSettings,
  type Verdict,
} from '@evenkeel/stability';
import { toCommand } from './commands.ts';
import type { Log } from './log.ts';

/** Steps that are judged without a break: messages of others come in between, about every millisecond. */
const JUDGED_AT_ONCE = 128;
/** How many steps may be judged before it is noted how far; what is not noted is judged again after a crash. */
const MARK_EVERY_STEPS = 256;
/**
 * Steps that are read to go on after a restart: what may have been stored but not judged, and, where the detector's
 * memory is of another version, what it has to see again.
 */
const REBUILD_STEPS = 10_000;
/** A risk that has changed by less is not noted anew: a healthy run's hardly ever is. */
const RISK_RESOLUTION = 0.02;

export interface JudgeOptions {
  db: Database;
  now: () => Date;
  log: Log;
  /** Receives each change of an alert, each command with which a policy answers one, and each forecast. */
  events: EventPort;
}

interface Case {
  project: string;
  detector: Detector;
  attempt: number;
  /** The newest judged step, null before the first. */
  judged: number | null;
  /** The newest step that the database knows to be judged. */
  marked: number | null;
  /** The end of the newest step by the trainer's clock, and when it was judged by ours; null before the first. */
  heard: { time: number; at: number } | null;
  /** The risk that was told last in this attempt; null before the first. */
  risk: number | null;
  /** What is told and not noted yet. */
  points: readonly ForecastPoint[];
}

/**
 * Watches committed steps with one detector per run, and opens and resolves alerts.
 * Detectors live in memory; what one remembers is stored with how far it has judged. After a restart it goes on from
 * there, and whatever was committed but not judged before the restart is judged then.
 */
export class Judge {
  readonly #options: JudgeOptions;
  /** The end of each run's queue of judgements. */
  readonly #cases = new Map<string, Promise<Case | null>>();
  /** Runs with forecasts that are not noted yet. */
  readonly #unnoted = new Set<string>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /**
   * Judges a stored batch, after all earlier ones of its run. What an attempt has told before is not judged again: sent
   * twice, it may not raise what somebody has resolved, nor rewind the detector to where it knows too little.
   */
  observe({ run, attempt, steps }: StepBatch): void {
    this.#enqueue(run, async (known) => {
      if (!known) return this.#rebuild(run);
      if (attempt < known.attempt) return known; // ghosts of a superseded attempt say nothing about the run
      if (attempt > known.attempt) {
        const first = steps[0]?.step ?? 0;
        return this.#judge(run, await this.#begin(run, known, attempt, first), steps);
      }
      const unjudged = steps.filter(({ step }) => step > (known.judged ?? -1));
      return this.#judge(run, known, unjudged);
    });
  }

  /** Judges what a former process stored and did not judge. */
  resume(run: string): void {
    this.#enqueue(run, (known) => known ?? this.#rebuild(run));
    this.forget(run);
  }

  /**
   * Judges the silence of every run that is being watched.
   * @param silenceFrom from when on it counts, in milliseconds since 1970, where that is later than its newest step.
   */
  elapse(silenceFrom: (run: string) => number = () => 0): void {
    for (const run of this.#cases.keys()) {
      this.#enqueue(run, async (known) => {
        if (!known?.heard) return known;
        // counted by our clock alone: the trainer's may be wrong
        const { time, at } = known.heard;
        const now = time + this.#options.now().getTime() - Math.max(at, silenceFrom(run));
        const verdicts = known.detector.elapse(now);
        for (const verdict of verdicts) await this.#carryOut(run, known.attempt, verdict);
        return verdicts.length > 0 ? this.#mark(run, known) : known;
      });
    }
  }

  /** The rules of a project are told anew: its runs are judged by them from their next step on. */
  retune(project: string, rules: RuleSettings): void {
    for (const run of this.#cases.keys()) {
      this.#enqueue(run, async (known) => {
        if (known?.project !== project) return known;
        const retuned = { ...known, detector: Detector.restore(known.detector.state(), rules) };
        await this.#resolveStaleAlerts(run, retuned.attempt, retuned.detector.openRules());
        return this.#mark(run, retuned);
      });
    }
  }

  /** Lets go of a run that has ended or gone silent; should it come back, its detector is rebuilt. */
  forget(run: string): void {
    this.#enqueue(run, async (known) => {
      if (known) await this.#mark(run, known);
      return null;
    });
  }

  /** Resolves when everything observed so far has been judged, and that has been noted. */
  async close(): Promise<void> {
    for (const run of this.#cases.keys()) this.forget(run);
    await this.idle();
  }

  /** Resolves when everything observed so far has been judged. */
  async idle(): Promise<void> {
    await Promise.all(this.#cases.values());
  }

  /** Resolves when everything observed of a run so far has been judged. */
  async settled(run: string): Promise<void> {
    await this.#cases.get(run);
  }

  #enqueue(run: string, act: (known: Case | null) => Promise<Case | null> | Case | null): void {
    const former = this.#cases.get(run) ?? Promise.resolve(null);
    const next = former.then(act).catch((error) => {
      this.#options.log('error', `judging run ${run} failed; it is judged again at its next step or start`, error);
      return null;
    });
    this.#cases.set(run, next);
    void next.then((known) => {
      if (!known && this.#cases.get(run) === next) this.#cases.delete(run);
    });
  }

  /** An attempt goes on with what the detector remembers of the one before, also after a crash. */
  async #begin(run: string, known: Case, attempt: number, first: number): Promise<Case> {
    const { project, detector } = await this.#note(run, known);
    detector.newAttempt(first);
    await this.#resolveStaleAlerts(run, attempt, detector.openRules());
    await markJudged(this.#options.db, { run, attempt, step: null, detector: detector.state() });
    return { project, detector, attempt, judged: null, marked: null, heard: null, risk: null, points: [] };
  }

  async #rebuild(run: string): Promise<Case | null> {
    const { db } = this.#options;
    const known = await judgedTo(db, run);
    const told = await rulesOfRun(db, run);
    if (!known || !told) return null;
    const steps = await recentSteps(db, { run, limit: REBUILD_STEPS });
    const first = known.firstStep ?? 0;
    const firstUnjudged = Math.max(first, (known.judgedTo ?? -1) + 1);
    const start = indexFrom(steps, firstUnjudged);
    const state = known.detector as DetectorState | null;
    const isKnown = state !== null && Detector.understands(state);
    const detector = isKnown ? Detector.restore(state, told.rules) : new Detector(told.rules);
    if (!isKnown) {
      const own = indexFrom(steps, first);
      await replay(detector, steps.slice(0, own));
      detector.newAttempt(first);
      await replay(detector, steps.slice(own, start));
    }
    const time = steps.at(-1)?.time;
    const heard = time === undefined ? null : { time, at: this.#options.now().getTime() };
    const judged = { judged: known.judgedTo, marked: known.judgedTo };
    const rebuilt = {
      project: told.project,
      detector,
      attempt: known.attempt,
      ...judged,
      heard,
      risk: null,
      points: [],
    };
    await this.#resolveStaleAlerts(run, known.attempt, RULE_NAMES); // or they would keep this attempt's own from opening
    const raised = await listAlerts(db, { run, limit: 1_000 });
    const judgedAll = await this.#judge(run, rebuilt, steps.slice(start), raised);
    await this.#resolveStaleAlerts(run, known.attempt, judgedAll.detector.openRules());
    return judgedAll;
  }

  /** Former attempts' alerts, and those of rules that have none open: they would keep their rules from opening others. */
  async #resolveStaleAlerts(run: string, attempt: number, open: readonly string[]): Promise<void> {
    const { db, now, events } = this.#options;
    for (const alert of await resolveStaleAlerts(db, { run, attempt, open }, now())) {
      events.publish({ kind: 'alert resolved', alert });
    }
  }

  /** `raised` is what may have been raised by these very steps, before a crash. */
  async #judge(run: string, known: Case, steps: readonly StepEvent[], raised: readonly Alert[] = []): Promise<Case> {
    const points: ForecastPoint[] = [];
    for (const [at, step] of steps.entries()) {
      if (at > 0 && at % JUDGED_AT_ONCE === 0) await nextTurn();
      for (const verdict of known.detector.observe(step)) await this.#carryOut(run, known.attempt, verdict, raised);
      const point = changeOf(known.detector, points.at(-1)?.risk ?? known.risk);
      if (point) points.push(point);
    }
    if (points.length > 0) this.#unnoted.add(run);
    const newest = steps.at(-1);
    const heard = newest ? { time: newest.time, at: this.#options.now().getTime() } : known.heard;
    const risk = points.at(-1)?.risk ?? known.risk;
    const waiting = [...known.points, ...points];
    const judged = { ...known, judged: newest?.step ?? known.judged, heard, risk, points: waiting };
    const isDue = Math.abs((judged.judged ?? 0) - (judged.marked ?? 0)) >= MARK_EVERY_STEPS;
    return isDue ? this.#mark(run, judged) : judged;
  }

  /** Notes what has been forecast since the last time: seldom, so that no alert waits behind it. */
  noteForecasts(): void {
    for (const run of this.#unnoted) {
      this.#unnoted.delete(run);
      this.#enqueue(run, (known) => known && this.#note(run, known));
    }
  }

  async #note(run: string, known: Case): Promise<Case> {
    if (known.points.length === 0) return known;
    await noteForecasts(this.#options.db, { run, attempt: known.attempt, points: known.points });
    this.#options.events.publish({ kind: 'forecast noted', run });
    return { ...known, points: [] };
  }

  async #mark(run: string, unnoted: Case): Promise<Case> {
    const known = await this.#note(run, unnoted);
    const { attempt, judged, detector } = known;
    if (judged !== null) await markJudged(this.#options.db, { run, attempt, step: judged, detector: detector.state() });
    return { ...known, marked: judged };
  }

  async #carryOut(run: string, attempt: number, verdict: Verdict, raised: readonly Alert[] = []): Promise<void> {
    const { db, now, events } = this.#options;
    if (verdict.kind === 'resolved') {
      const resolved = await resolveRule(db, { run, rule: verdict.rule, step: verdict.since }, now());
      if (resolved) events.publish({ kind: 'alert resolved', alert: resolved });
      return;
    }
    const { from, since, step, ...seen } = verdict.finding;
    if (raised.some((alert) => covers(alert, attempt, verdict.finding))) return;
    const finding = { ...seen, attempt, step: since, window: [from, step] satisfies [number, number] };
    const news = await raiseAlert(db, run, finding, now());
    if (!news) return;
    events.publish({ kind: `alert ${news.change}`, alert: news.alert });
    if (news.command) events.publish({ kind: 'command given', attempt, command: toCommand(news.command) });
  }
}

/** Lets a detector see steps again, with breaks. What it finds is known already. */
async function replay(detector: Detector, steps: readonly StepEvent[]): Promise<void> {
  for (const [at, step] of steps.entries()) {
    if (at > 0 && at % JUDGED_AT_ONCE === 0) await nextTurn();
    detector.observe(step);
  }
}

/** Whether an alert tells of a finding already, be it resolved since or not. */
function covers(alert: Alert, attempt: number, { rule, since, severity }: Finding): boolean {
  const isSame = alert.rule === rule && alert.attempt === attempt && alert.step === since;
  return isSame && (alert.severity === 'critical' || severity === 'warning');
}

/** What is forecast now, where that differs from the risk that is noted already. */
function changeOf({ forecast }: Detector, noted: number | null): ForecastPoint | null {
  if (!forecast || (noted !== null && Math.abs(forecast.risk - noted) < RISK_RESOLUTION)) return null;
  const { step, risk, divergenceStep, interval } = forecast;
  return { step, risk, divergenceStep, divergenceInterval: interval && [interval[0], interval[1]] };
}

/** Where the steps from one on begin; behind the last where there are none. */
function indexFrom(steps: readonly StepEvent[], first: number): number {
  const at = steps.findIndex(({ step }) => step >= first);
  return at < 0 ? steps.length : at;
}
