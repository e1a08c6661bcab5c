import { Forecaster, fitLogistic, HORIZON_STEPS, logit, type Signals } from '@evenkeel/stability';
import { foldsByKind } from './folds.ts';
import type { BenchRun } from './run-set.ts';
import type { FirstAlarms } from './score.ts';

/** Reads some numbers from a run, step by step. */
type Reader = (signals: Signals) => number[];

/** Features of each signal: levels and growth on two time scales, independent of its unit. */
const READERS = { tev, gradVar, gradNorm, loss, lr } satisfies Record<string, () => Reader>;
type Signal = keyof typeof READERS;

export const ABLATIONS: Record<string, readonly Signal[]> = {
  'TEV alone': ['tev'],
  'gradient variance alone': ['gradVar'],
  'loss alone': ['loss'],
  'learning rate alone': ['lr'],
  'TEV and learning rate': ['tev', 'lr'],
  'TEV, gradients, loss': ['tev', 'gradVar', 'gradNorm', 'loss'],
  'all together': ['tev', 'gradVar', 'gradNorm', 'loss', 'lr'],
};

/** The share of healthy runs that may alarm in training, by which each threshold is chosen. */
const FALSE_ALARMS = 0.015;
const FIRST_STEP = 14;
/** Regularization: without it some runs would make weights huge. */
const RIDGE = 1;
/** Every so many steps one is an example: neighbors are nearly equal. */
const LEARN_EVERY = 4;

/** The first alarms of a logistic model on some signals; each run is judged by one that was fitted without its kind. */
export function ablate(runs: readonly BenchRun[], signals: readonly Signal[]): FirstAlarms {
  const features = new Map(runs.map((run) => [run, featuresOf(run, signals)]));
  const alarms = new Map<BenchRun, number | null>();
  for (const { train, test } of foldsByKind(runs)) {
    const examples = train.flatMap((run) => examplesOf(run, features.get(run) ?? []));
    const weights = fitLogistic(examples, RIDGE);
    const risks = (run: BenchRun) => (features.get(run) ?? []).map((x) => logit(weights, x));
    const worst = train
      .filter(({ onset }) => onset === null)
      .map((run) => risks(run).reduce((worst, risk) => Math.max(worst, risk), Number.NEGATIVE_INFINITY))
      .sort((a, b) => b - a);
    const limit = worst[Math.floor(FALSE_ALARMS * worst.length)] ?? 0;
    for (const run of test) {
      const at = risks(run).findIndex((risk) => risk > limit);
      alarms.set(run, at < 0 ? null : (run.steps[at]?.step ?? null));
    }
  }
  return alarms;
}

function featuresOf({ steps }: BenchRun, signals: readonly Signal[]): number[][] {
  const readers = signals.map((signal) => READERS[signal]());
  return steps.map((step) => {
    const x = readers.flatMap((reader) => reader(step));
    return step.step < FIRST_STEP ? x.map(() => 0) : x.map((value) => (Number.isFinite(value) ? value : 0));
  });
}

function examplesOf({ steps, onset }: BenchRun, features: readonly number[][]) {
  return steps.flatMap(({ step }, at) => {
    if (at % LEARN_EVERY !== 0 || step < FIRST_STEP || (onset !== null && step >= onset)) return [];
    return [
      {
        x: features[at] ?? [],
        y: onset !== null && onset - step <= HORIZON_STEPS ? (1 as const) : (0 as const),
        weight: 1,
      },
    ];
  });
}

function tev(): Reader {
  const forecaster = new Forecaster();
  return ({ step, tevMean, tevStd }) => {
    const forecast = forecaster.observe({ step, tevMean, tevStd });
    return [clip(forecast?.growthMargin ?? -5), clip(forecast?.surgeMargin ?? -5)];
  };
}

function gradVar(): Reader {
  const grown = growth();
  return (signals) => grown(Math.log(signals.gradVar ?? Number.NaN));
}

/** The norm, and the agreement of the micro-batches: |G|² over its variance. */
function gradNorm(): Reader {
  const [norm, agreement] = [growth(), growth()];
  return (signals) => {
    const log = Math.log(signals.gradNorm ?? Number.NaN);
    return [...norm(log), ...agreement(2 * log - Math.log(signals.gradVar ?? Number.NaN))];
  };
}

function loss(): Reader {
  const grown = growth();
  const level = average(5);
  let best = Number.POSITIVE_INFINITY;
  return (signals) => {
    const now = level(signals.loss ?? Number.NaN);
    if (signals.step >= 5) best = Math.min(best, now);
    return [...grown(signals.loss ?? Number.NaN), clip(now - best)];
  };
}

/** How far above its warm-up peak, and by how much it rose in 40 steps. */
function lr(): Reader {
  const past: number[] = [];
  let peak = 0;
  let isWarm = false;
  return (signals) => {
    const now = signals.lr ?? Number.NaN;
    if (!isWarm && now <= peak) isWarm = true;
    if (!isWarm) peak = now;
    past.push(now);
    if (past.length > 41) past.shift();
    return [isWarm ? clip(Math.log(now / peak)) : 0, isWarm ? clip(Math.log(now / (past[0] ?? now))) : 0];
  };
}

/** How far the average of 5 is above that of 40, and above the lowest it has been. */
function growth(): (value: number) => number[] {
  const [fast, slow] = [average(5), average(40)];
  let [min, count] = [Number.POSITIVE_INFINITY, 0];
  return (value) => {
    const [now, usual] = [fast(value), slow(value)];
    if (++count >= 20) min = Math.min(min, now);
    return [clip(now - usual), Number.isFinite(min) ? clip(now - min) : 0];
  };
}

/** An exponential moving average that skips non-finite values. */
function average(steps: number): (value: number) => number {
  const share = 1 - Math.exp(-1 / steps);
  let mean = Number.NaN;
  return (value) => {
    if (Number.isFinite(value)) mean = Number.isFinite(mean) ? mean + share * (value - mean) : value;
    return mean;
  };
}

function clip(value: number): number {
  return Math.min(5, Math.max(-5, value));
}
