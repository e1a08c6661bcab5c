import type { Signals } from '../signals.ts';
import { type Growth, growthOf } from './growth.ts';
import { fitLogistic, type Weights } from './logistic.ts';
import { growthMargin, knowsLoss, MIN_SURGE, surgeMargin, surgeScore } from './margin.ts';
import { type ForecastModel, HORIZON_STEPS, type Lead, type Level } from './model.ts';
import { Trail } from './trail.ts';

/** A recorded run and the step from which it diverged, null if it did not. */
export interface LabeledRun {
  steps: readonly Signals[];
  onset: number | null;
}

/** A step of a run before its onset, as the forecast sees it. */
interface Example {
  run: LabeledRun;
  growth: Growth;
  /** Steps to onset; infinite in a run without. */
  lead: number;
  /** So that a run logged seldom weighs as much as one logged often. */
  weight: number;
}

/** How runs are learned: whole, and as of trainers that log neither loss nor gradients, or seldom. */
const LOGS = [
  { every: 1, isBlind: false },
  { every: 1, isBlind: true },
  { every: 10, isBlind: false },
] as const;
type Log = (typeof LOGS)[number];
/** The bounds between which margins count as about the same. */
const BOUNDS = [-4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 2] as const;
const MARGIN_RANGE = 6;

/**
 * Fits the forecast to labeled runs: the logistic score of a surge, and for levels of the margin the share of runs with
 * onset within {@link HORIZON_STEPS} steps and the percentiles of the steps that were left until onset. A run counts once
 * at each level that it was at, however many steps it stayed.
 * @throws Error where no run is long enough.
 */
export function fitForecast(runs: readonly LabeledRun[]): ForecastModel {
  const examples = runs.flatMap((run) => LOGS.flatMap((log) => examplesOf(run, log)));
  const surge = fitSurge(examples);
  const judged = examples.map((example) => {
    const [growth, sudden] = [growthMargin(example.growth), surgeMargin(surge, example.growth.surge)];
    const isSurge = sudden !== null && sudden.value > growth.value;
    return { ...example, isSurge, margin: Math.max(growth.value, sudden?.value ?? growth.value) };
  });
  const critical = judged.filter(({ isSurge, margin }) => isSurge && margin >= 0);
  const levels = levelsOf(judged.filter(({ growth }) => knowsLoss(growth)));
  const levelsOfTev = levelsOf(judged.filter(({ growth }) => !knowsLoss(growth)));
  if (judged.length === 0) throw new Error('no run is long enough to learn from');
  return {
    surge,
    levels: levels.length > 0 ? levels : levelsOfTev,
    levelsOfTev: levelsOfTev.length > 0 ? levelsOfTev : levels,
    surgeLead: leadOf(weighted(critical)),
  };
}

function examplesOf(run: LabeledRun, { every, isBlind }: Log): Example[] {
  const trail = new Trail();
  const examples: Example[] = [];
  for (const signals of run.steps) {
    if (signals.step % every !== 0) continue;
    if (run.onset !== null && signals.step >= run.onset) break;
    const { step, tevMean, tevStd, lr, lrAhead } = signals;
    const growth = trail.add(isBlind ? { step, tevMean, tevStd, lr, lrAhead } : signals) ? growthOf(trail) : null;
    const lead = run.onset === null ? Number.POSITIVE_INFINITY : run.onset - signals.step;
    if (growth) examples.push({ run, growth, lead, weight: every });
  }
  return examples;
}

function fitSurge(examples: readonly Example[]): Weights {
  const surging = examples.flatMap(({ growth, lead, weight }) => {
    const score = growth.surge ? surgeScore(growth.surge) : MIN_SURGE;
    return score > MIN_SURGE ? [{ x: [score], y: lead <= HORIZON_STEPS ? (1 as const) : (0 as const), weight }] : [];
  });
  return fitLogistic(surging);
}

interface Judged extends Example {
  margin: number;
}

/** Examples of which those of a run weigh 1 together. */
interface Weighted extends Judged {
  share: number;
}

function weighted(examples: readonly Judged[]): Weighted[] {
  const counts = new Map<LabeledRun, number>();
  for (const { run } of examples) counts.set(run, (counts.get(run) ?? 0) + 1);
  return examples.map((example) => ({ ...example, share: 1 / (counts.get(example.run) ?? 1) }));
}

/** Levels between the bounds; those that would make the risk fall as the margin grows are one (Ayer et al. 1955). */
function levelsOf(examples: readonly Judged[]): Level[] {
  const groups: Weighted[][] = [];
  const bounds = [Number.NEGATIVE_INFINITY, ...BOUNDS, Number.POSITIVE_INFINITY];
  for (const [at, from] of bounds.slice(0, -1).entries()) {
    const to = bounds[at + 1] as number;
    let group = weighted(examples.filter(({ margin }) => margin >= from && margin < to));
    if (group.length === 0) continue;
    for (let last = groups.at(-1); last && riskOf(last) > riskOf(group); last = groups.at(-1)) {
      group = [...(groups.pop() ?? []), ...group];
    }
    groups.push(group);
  }
  return groups.map((group) => {
    const margin = average(group, ({ margin }) => Math.max(-MARGIN_RANGE, Math.min(MARGIN_RANGE, margin)));
    return { margin, risk: riskOf(group), ...leadOf(group) };
  });
}

/** With half a run more on either side, so that no finite number of runs makes a risk of 0 or 1 (Krichevsky, Trofimov 1981). */
function riskOf(group: readonly Weighted[]): number {
  const runs = group.reduce((sum, { share }) => sum + share, 0);
  const diverged = group.reduce((sum, { share, lead }) => sum + (lead <= HORIZON_STEPS ? share : 0), 0);
  return (diverged + 0.5) / (runs + 1);
}

function average(group: readonly Weighted[], value: (example: Weighted) => number): number {
  const sum = group.reduce((sum, example) => sum + example.share * value(example), 0);
  return sum / group.reduce((sum, { share }) => sum + share, 0);
}

/** Percentiles of the leads of what diverged, each weighing as much as its share. */
function leadOf(group: readonly Weighted[]): Lead {
  const diverged = group.filter(({ lead }) => Number.isFinite(lead)).sort((a, b) => a.lead - b.lead);
  const total = diverged.reduce((sum, { share }) => sum + share, 0);
  const percentile = (share: number) => {
    let sum = 0;
    for (const example of diverged) {
      sum += example.share;
      if (sum >= share * total - 1e-9) return example.lead; // shares are rounded, and their sum with them
    }
    return HORIZON_STEPS;
  };
  return { low: percentile(0.05), middle: percentile(0.5), high: percentile(0.95) };
}
