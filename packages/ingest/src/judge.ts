import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Database,
  type ForecastPoint,
  judgedTo,
  listAlerts,
  markJudged,
  raiseAlert,
  recentSteps,
  resolveAlerts,
  resolveRule,
  resolveStaleAlerts,
  rewindJudged,
  rulesOfRun,
  type StepKey,
  saveForecasts,
} from '@evenkeel/db';
import type { Alert, EventPort, StepBatch, StepEvent } from '@evenkeel/protocol';
import {
  Detector,
  type DetectorState,
  extendBounds,
  type Finding,
  isConfirmed,
  NO_STEPS,
  RULE_NAMES,
  type RuleSettings,
  refuted,
  type Signals,
  StepAssembler,
  type StepBounds,
  type Verdict,
} from '@evenkeel/stability';
import { toCommand } from './commands.ts';
import type { Log } from './log.ts';
import { RunQueues } from './run-queues.ts';

/** Steps that are judged without a break: messages of others come in between, about every millisecond. */
const JUDGED_AT_ONCE = 128;
/** Steps that may be judged before the progress is stored; what lies after it is judged again after a crash. */
const MARK_EVERY_STEPS = 2_048;
/**
 * Steps that are read to go on after a restart: what may have been stored but not judged, and, where the detector's
 * memory is of another version, what it has to see again.
 */
const REBUILD_STEPS = 10_000;
/** A forecast whose risk has changed by less is not stored: that of a healthy run hardly ever is. */
const RISK_RESOLUTION = 0.02;

export interface JudgeOptions {
  db: Database;
  now: () => Date;
  log: Log;
  /** Receives each change of an alert, each command with which a policy answers one, and each forecast. */
  events: EventPort;
}

/** Null before the first forecast, or where it predicts no step. */
type Reported = Readonly<Record<'risk' | 'divergenceStep', number | null>>;
const NOTHING_REPORTED: Reported = { risk: null, divergenceStep: null };

interface Case {
  project: string;
  detector: Detector;
  attempt: number;
  /** Whether the detector knows that this attempt has begun: it does from the first step that it judges. */
  hasBegun: boolean;
  /** Steps of this attempt that are not complete yet. */
  assembler: StepAssembler;
  bounds: StepBounds;
  /** Steps that a person has removed. */
  removed: readonly number[];
  /** The newest judged step, null before the first. */
  judged: number | null;
  /** How many steps were judged since the database was given the detector's memory. */
  unmarked: number;
  /** The end of the newest step by the trainer's clock, and when it came by ours; null before the first. */
  lastSeen: { time: number; at: number } | null;
  /** What was stored last of the forecasts of this attempt. */
  reported: Reported;
  /** Forecasts that are not stored yet. */
  points: readonly ForecastPoint[];
  /** Alerts that steps may have raised which are judged again after a crash. */
  raised: readonly Alert[];
  /** The last step that was stored before a restart: once it is judged, alerts that no rule has open are stale. */
  staleUntil: number | null;
  /** Whether a person has had the steps up to that one judged again: no policy answers what is found in them. */
  isRevised: boolean;
  /** Whether nothing has come since a restart: the run is let go of once its stored steps are judged. */
  isIdle: boolean;
}

interface RebuildOptions {
  /** What the same process knew before; what it had judged is stored, or is to be judged again. */
  former?: Case | null;
  /** Whether the step numbers have jumped since. */
  leaps?: boolean;
  isRevised?: boolean;
}

/**
 * Watches committed steps with one detector per run, and opens and resolves alerts. Parts of a step are put together
 * before they are judged, see {@link StepAssembler}.
 * Detectors live in memory; what one remembers is stored with how far it has judged. After a restart it goes on from
 * there, and whatever was committed but not judged before the restart is judged then.
 */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #queues: RunQueues<Case>;
  /** Runs with forecasts that are not stored yet. */
  readonly #unsaved = new Set<string>();
  /** When the first waiting step of a run is complete at the latest, in milliseconds since 1970. */
  readonly #due = new Map<string, number>();

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#queues = new RunQueues({ log: options.log, onLetGo: (run) => this.#due.delete(run) });
  }

  /**
   * Judges a stored batch, after all earlier ones of its run. What an attempt has sent before is not judged again: sent
   * twice, it may not raise what somebody has resolved, nor rewind the detector to where it knows too little.
   */
  observe({ run, attempt, steps }: StepBatch): void {
    const now = this.#nowMs();
    this.#queues.add(run, async (known) => {
      if (!known) return this.#rebuild(run);
      if (attempt < known.attempt) return known; // ghosts of a superseded attempt say nothing about the run
      const current = attempt > known.attempt ? await this.#next(run, known, attempt) : known;
      return this.#take(run, { ...current, isIdle: false }, steps, now);
    });
  }

  /** Resolves when the steps of a run that were observed so far are judged, but for those that may not be complete yet. */
  judged(run: string): Promise<void> {
    return this.#queues.done(run);
  }

  /** Judges what a former process stored and did not judge. */
  resume(run: string): void {
    this.#queues.add(run, async (known) => {
      if (known) return known;
      const rebuilt = await this.#rebuild(run);
      return rebuilt && this.#leaveIdle(run, { ...rebuilt, isIdle: true });
    });
  }

  /** Judges the newest attempt as if it had never had a step, or always: a person has removed it, or brought it back. */
  revise({ run, attempt, step }: StepKey): void {
    this.#queues.add(run, async (known) => {
      const newest = known?.attempt ?? (await judgedTo(this.#options.db, run))?.attempt;
      if (attempt !== newest) return known;
      const revised = await this.#judgeAgain({ run, attempt, step }, known, { isRevised: true });
      return revised && this.#leaveIdle(run, { ...revised, isIdle: known?.isIdle ?? true });
    });
  }

  /** Judges the steps whose time to become complete is up. */
  judgeDue(): void {
    const now = this.#nowMs();
    for (const [run, due] of this.#due) {
      if (due > now) continue;
      this.#due.delete(run);
      this.#queues.add(run, async (known) => known && this.#leaveIdle(run, await this.#judgeComplete(run, known, now)));
    }
  }

  /**
   * Judges the silence of every run that is being watched.
   * @param silenceFrom from when on it counts, in milliseconds since 1970, where that is later than its newest step.
   */
  elapse(silenceFrom: (run: string) => number = () => 0): void {
    for (const run of this.#queues.takeFailed()) this.resume(run);
    const now = this.#nowMs();
    for (const run of this.#queues.runs()) {
      this.#queues.add(run, async (waiting) => {
        const known = waiting && (await this.#judgeComplete(run, waiting, now));
        if (!known?.lastSeen) return known && this.#leaveIdle(run, known);
        // counted by our clock alone: the trainer's may be wrong
        const { time, at } = known.lastSeen;
        const verdicts = known.detector.elapse(time + now - Math.max(at, silenceFrom(run)));
        for (const verdict of verdicts) await this.#carryOut(run, known, verdict);
        return this.#leaveIdle(run, verdicts.length > 0 ? await this.#mark(run, known) : known);
      });
    }
  }

  /** The rule settings of a project have changed: its runs are judged by them from their next step on. */
  retune(project: string, rules: RuleSettings): void {
    for (const run of this.#queues.runs()) {
      this.#queues.add(run, async (waiting) => {
        if (waiting?.project !== project) return waiting;
        const known = await this.#judgeAll(run, waiting); // what came before is judged by the rules of before
        const retuned = { ...known, detector: Detector.restore(known.detector.state(), rules) };
        await this.#resolveStaleAlerts(run, retuned.attempt, retuned.detector.openRules());
        return this.#leaveIdle(run, await this.#mark(run, retuned));
      });
    }
  }

  /** Lets go of a run that has ended or gone silent; should it come back, its detector is rebuilt. */
  forget(run: string): void {
    this.#queues.add(run, async (known) => {
      if (known) await this.#mark(run, await this.#judgeAll(run, known));
      return null;
    });
  }

  /** Resolves when everything observed so far has been judged, and the progress is stored. */
  async close(): Promise<void> {
    for (const run of this.#queues.runs()) {
      this.#queues.add(run, async (known) => {
        if (known) await this.#suspend(run, known);
        return null;
      });
    }
    await this.#queues.done();
  }

  /** Resolves when everything observed so far has been judged: steps do not wait for parts any longer. */
  async idle(): Promise<void> {
    await Promise.all(this.#queues.runs().map((run) => this.settled(run)));
  }

  /** Resolves when everything observed of a run so far has been judged, likewise. */
  async settled(run: string): Promise<void> {
    this.#queues.add(run, (known) => known && this.#judgeAll(run, known));
    await this.#queues.done(run);
  }

  #nowMs(): number {
    return this.#options.now().getTime();
  }

  /** Steps of the next attempt have come: the one before is judged to its end. */
  async #next(run: string, former: Case, attempt: number): Promise<Case> {
    const known = await this.#judgeAll(run, former);
    const assembler = new StepAssembler(known.assembler.habits);
    const nothing = {
      judged: null,
      unmarked: 0,
      lastSeen: null,
      reported: NOTHING_REPORTED,
      raised: [],
      staleUntil: null,
    };
    return { ...known, ...nothing, attempt, assembler, bounds: NO_STEPS, removed: [], hasBegun: false };
  }

  /** An attempt goes on with what the detector remembers of the one before, also after a crash. */
  async #begin(run: string, unsaved: Case, first: number): Promise<Case> {
    const known = await this.#save(run, unsaved);
    const { detector, attempt } = known;
    detector.newAttempt(first);
    await this.#resolveStaleAlerts(run, attempt, detector.openRules());
    await markJudged(this.#options.db, { run, attempt, step: null, detector: detector.state() });
    return { ...known, hasBegun: true };
  }

  /** Steps that have come: those before the newest are complete as a rule. */
  async #take(run: string, waiting: Case, steps: readonly StepEvent[], now: number): Promise<Case | null> {
    const isDue = (waiting.assembler.due ?? Number.POSITIVE_INFINITY) <= now;
    const known = isDue ? await this.#judgeComplete(run, waiting, now) : waiting;
    const numbers = steps.map(({ step }) => step);
    const bounds = extendBounds(known.bounds, numbers, known.removed);
    if (isConfirmed(known.bounds, bounds)) return this.#jump(run, known);
    const wrong = refuted(known.bounds, bounds);
    if (wrong !== null) return this.#judgeAgain({ run, attempt: known.attempt, step: wrong }, known);
    return this.#assemble(run, { ...known, bounds }, steps, now);
  }

  async #assemble(run: string, known: Case, steps: readonly StepEvent[], now: number): Promise<Case> {
    const { assembler, bounds, removed } = known;
    const isLeftOut = (step: number) => bounds.outliers.includes(step) || removed.includes(step);
    const late: StepEvent[] = [];
    let newest: StepEvent | null = null;
    for (const step of steps) {
      const isTaken = !isLeftOut(step.step) && assembler.add(step, now);
      if (!isTaken) late.push(step);
      else if (newest === null || step.step >= newest.step) newest = step;
    }
    const lastSeen = newest ? { time: newest.time, at: now } : known.lastSeen;
    return this.#judgeLate(run, await this.#judgeComplete(run, { ...known, lastSeen }, now), late);
  }

  /** What looked like outliers are steps: they are read again, since they were not kept. */
  async #jump(run: string, known: Case): Promise<Case> {
    const marked = await this.#mark(run, await this.#judgeAll(run, known));
    return (await this.#rebuild(run, { former: marked, leaps: true })) ?? marked;
  }

  /** What was judged since a step came is judged again, of what counts as a step by now. */
  async #judgeAgain(key: StepKey, former: Case | null, { isRevised = false } = {}): Promise<Case | null> {
    this.#due.delete(key.run);
    await rewindJudged(this.#options.db, key);
    await this.#resolveLeftOut(key);
    return this.#rebuild(key.run, { former, isRevised });
  }

  /** Alerts at steps that are none any more would keep their rules from opening others. */
  async #resolveLeftOut({ run, attempt }: StepKey): Promise<void> {
    const { db, now, events } = this.#options;
    const known = await judgedTo(db, run);
    const leftOut = [...(known?.bounds.outliers ?? []), ...(known?.removed ?? [])];
    const alerts = await listAlerts(db, { run, limit: 1_000 });
    const left = alerts.filter((alert) => alert.attempt === attempt && leftOut.includes(alert.step));
    for (const alert of await resolveAlerts(db, left, now())) events.publish({ kind: 'alert resolved', alert });
  }

  async #judgeComplete(run: string, known: Case, now: number): Promise<Case> {
    const judged = await this.#judge(run, known, known.assembler.take(now));
    const { due } = judged.assembler;
    if (due === null) this.#due.delete(run);
    else this.#due.set(run, due);
    return judged;
  }

  #judgeAll(run: string, known: Case): Promise<Case> {
    this.#due.delete(run);
    return this.#judge(run, known, known.assembler.takeAll());
  }

  /** What comes after its step was judged, or is too far ahead to be one. */
  async #judgeLate(run: string, known: Case, late: readonly Signals[]): Promise<Case> {
    let isRaised = false;
    for (const part of late) {
      for (const verdict of known.detector.observeLate(part)) {
        await this.#carryOut(run, known, verdict);
        isRaised = true;
      }
    }
    return isRaised ? this.#mark(run, known) : known;
  }

  /** The process stops: what waits for its parts is judged, and again by the next process, which may have all of them. */
  async #suspend(run: string, known: Case): Promise<void> {
    const marked = await this.#mark(run, known);
    await this.#save(run, await this.#judgeUnmarked(run, marked, known.assembler.takeAll()));
  }

  async #leaveIdle(run: string, known: Case): Promise<Case | null> {
    if (!known.isIdle || known.assembler.due !== null) return known;
    await this.#mark(run, known);
    return null;
  }

  /** How far a run was judged, of what counts as a step by now. */
  async #readJudged(run: string) {
    const { db } = this.#options;
    const known = await judgedTo(db, run);
    const { judgedTo: judged, bounds } = known ?? {};
    const isPastAll = known && judged != null && judged > (bounds?.last ?? judged);
    if (!isPastAll) return known;
    await rewindJudged(db, { run, attempt: known.attempt, step: judged });
    return judgedTo(db, run);
  }

  async #rebuild(
    run: string,
    { former = null, leaps = false, isRevised = false }: RebuildOptions = {},
  ): Promise<Case | null> {
    const { db } = this.#options;
    const known = await this.#readJudged(run);
    const set = await rulesOfRun(db, run);
    if (!known || !set || known.bounds.first === null) return null;
    const steps = await recentSteps(db, { run, limit: REBUILD_STEPS, asOf: known.attempt });
    const now = this.#nowMs(); // among the steps are some that came while they were read
    const { first } = known.bounds;
    const newest = steps.at(-1);
    const start = indexFrom(steps, Math.max(first, (known.judgedTo ?? Number.NEGATIVE_INFINITY) + 1));
    const own = indexFrom(steps, first);
    const detector = await detectorOf(known.detector as DetectorState | null, set.rules, {
      before: steps.slice(0, own),
      first,
      judged: steps.slice(own, start),
    });
    if (leaps) detector.leap();
    const { attempt, judgedTo: judged, bounds, removed } = known;
    await this.#resolveStaleAlerts(run, attempt, RULE_NAMES); // or they would keep this attempt's own from opening
    const assembler = new StepAssembler();
    assembler.resume(steps.slice(own, start));
    const raised = await listAlerts(db, { run, limit: 1_000 });
    const lastSeen = newest ? { time: newest.time, at: now } : null;
    const rebuilt: Case = {
      project: set.project,
      detector,
      attempt,
      hasBegun: true,
      assembler,
      bounds,
      removed,
      judged,
      lastSeen: former?.lastSeen ?? lastSeen,
      reported: { risk: known.risk, divergenceStep: known.divergenceStep },
      points: [],
      unmarked: 0,
      isIdle: former?.isIdle ?? false,
      raised: raised.filter((alert) => alert.attempt === attempt),
      staleUntil: newest?.step ?? null,
      isRevised,
    };
    const looked = await this.#judgeLate(run, rebuilt, steps.slice(own, start));
    const taken = await this.#assemble(run, looked, steps.slice(start), now);
    return start === steps.length ? this.#endStaleness(run, taken) : taken;
  }

  /** The stored steps are judged again: what no rule has open by then is not open any more. */
  async #endStaleness(run: string, known: Case): Promise<Case> {
    await this.#resolveStaleAlerts(run, known.attempt, known.detector.openRules());
    return { ...known, staleUntil: null };
  }

  /** Former attempts' alerts, and those of rules that have none open: they would keep their rules from opening others. */
  async #resolveStaleAlerts(run: string, attempt: number, open: readonly string[]): Promise<void> {
    const { db, now, events } = this.#options;
    for (const alert of await resolveStaleAlerts(db, { run, attempt, open }, now())) {
      events.publish({ kind: 'alert resolved', alert });
    }
  }

  async #judge(run: string, known: Case, steps: readonly Signals[]): Promise<Case> {
    const judged = await this.#judgeUnmarked(run, known, steps);
    return judged.unmarked >= MARK_EVERY_STEPS ? this.#mark(run, judged) : judged;
  }

  async #judgeUnmarked(run: string, unbegun: Case, steps: readonly Signals[]): Promise<Case> {
    const [first] = steps;
    const newest = steps.at(-1);
    if (!first || !newest) return unbegun;
    const known = unbegun.hasBegun ? unbegun : await this.#begin(run, unbegun, first.step);
    const points: ForecastPoint[] = [];
    let isNews = false;
    for (const [at, step] of steps.entries()) {
      if (at > 0 && at % JUDGED_AT_ONCE === 0) await nextTurn();
      for (const verdict of known.detector.observe(step)) {
        await this.#carryOut(run, known, verdict);
        isNews = true;
      }
      const point = changeOf(known.detector, points.at(-1) ?? known.reported);
      if (point) points.push(point);
    }
    if (points.length > 0) this.#unsaved.add(run);
    const unsaved = {
      ...known,
      judged: newest.step,
      unmarked: known.unmarked + steps.length,
      reported: points.at(-1) ?? known.reported,
      points: [...known.points, ...points],
    };
    const judged = isNews ? await this.#save(run, unsaved) : unsaved; // who opens an alert sees what was forecast until then
    const isSettled = judged.staleUntil !== null && newest.step >= judged.staleUntil;
    return isSettled ? this.#endStaleness(run, judged) : judged;
  }

  /** Stores what has been forecast since the last time: seldom, so that no alert waits behind it. */
  saveForecasts(): void {
    for (const run of this.#unsaved) {
      this.#unsaved.delete(run);
      this.#queues.add(run, (known) => known && this.#save(run, known));
    }
  }

  async #save(run: string, known: Case): Promise<Case> {
    if (known.points.length === 0) return known;
    await saveForecasts(this.#options.db, { run, attempt: known.attempt, points: known.points });
    this.#options.events.publish({ kind: 'forecast stored', run });
    return { ...known, points: [] };
  }

  async #mark(run: string, unsaved: Case): Promise<Case> {
    const known = await this.#save(run, unsaved);
    const { attempt, judged, detector } = known;
    if (judged !== null) await markJudged(this.#options.db, { run, attempt, step: judged, detector: detector.state() });
    return { ...known, unmarked: 0 };
  }

  async #carryOut(run: string, known: Case, verdict: Verdict): Promise<void> {
    const { attempt, raised, isRevised, staleUntil } = known;
    const { db, now, events } = this.#options;
    if (verdict.kind === 'resolved') {
      const resolved = await resolveRule(db, { run, rule: verdict.rule, step: verdict.since }, now());
      if (resolved) events.publish({ kind: 'alert resolved', alert: resolved });
      return;
    }
    const { from, since, step, ...seen } = verdict.finding;
    if (raised.some((known) => covers(known, attempt, verdict.finding))) return;
    const alert = { ...seen, attempt, step: since, window: [from, step] satisfies [number, number] };
    const isPast = isRevised && staleUntil !== null && step <= staleUntil;
    const news = await raiseAlert(db, run, alert, now(), { isPast });
    if (!news) return;
    events.publish({ kind: `alert ${news.change}`, alert: news.alert });
    if (news.command) events.publish({ kind: 'command given', attempt, command: toCommand(news.command) });
  }
}

/** The detector that judged the steps of an attempt so far; one whose memory is of another version sees them again. */
async function detectorOf(
  state: DetectorState | null,
  rules: RuleSettings,
  { before, first, judged }: { before: readonly StepEvent[]; first: number; judged: readonly StepEvent[] },
): Promise<Detector> {
  if (state && Detector.understands(state)) return Detector.restore(state, rules);
  const detector = new Detector(rules);
  await replay(detector, before);
  detector.newAttempt(first);
  await replay(detector, judged);
  return detector;
}

/** Lets a detector see steps again, with breaks. What it finds is known already. */
async function replay(detector: Detector, steps: readonly StepEvent[]): Promise<void> {
  for (const [at, step] of steps.entries()) {
    if (at > 0 && at % JUDGED_AT_ONCE === 0) await nextTurn();
    detector.observe(step);
  }
}

/** Whether an alert is of a finding already, be it resolved since or not. */
function covers(alert: Alert, attempt: number, { rule, since, severity }: Finding): boolean {
  const isSame = alert.rule === rule && alert.attempt === attempt && alert.step === since;
  return isSame && (alert.severity === 'critical' || severity === 'warning');
}

/** What is forecast now, where that differs from what was reported last in risk, or the step that was predicted has come. */
function changeOf({ forecast }: Detector, reported: Reported): ForecastPoint | null {
  if (!forecast) return null;
  const { step, risk, divergenceStep, interval } = forecast;
  const isOver = reported.divergenceStep !== null && reported.divergenceStep <= step;
  if (!isOver && reported.risk !== null && Math.abs(risk - reported.risk) < RISK_RESOLUTION) return null;
  return { step, risk, divergenceStep, divergenceInterval: interval && [interval[0], interval[1]] };
}

/** Where the steps from one on begin; behind the last where there are none. */
function indexFrom(steps: readonly StepEvent[], first: number): number {
  const at = steps.findIndex(({ step }) => step >= first);
  return at < 0 ? steps.length : at;
}
