import {
  Detector,
  type Forecast,
  Forecaster,
  type ForecastModel,
  fitForecast,
  HORIZON_STEPS,
  mean,
  median,
  type Signals,
  tevGrowthBy,
} from '@evenkeel/stability';
import { Failure } from '../failure.ts';
import { raisesCritical } from './baselines.ts';
import { foldsByKind } from './folds.ts';
import type { BenchRun, RunSet } from './run-set.ts';

/** For each run the model that judges it, fitted without its kind; undefined is the shipped one. */
export type Models = ReadonlyMap<BenchRun, ForecastModel | undefined>;

/** A set of runs with the models that judge them. */
export interface JudgedSet extends RunSet {
  models: Models;
}

/**
 * Runs to which the shipped constants may have been fitted are judged by other models.
 * @throws Failure where there is nothing to learn those from.
 */
export function judged(set: RunSet): JudgedSet {
  if (!set.isLabeled) return { ...set, models: new Map(set.runs.map((run) => [run, undefined])) };
  const folds = foldsByKind(set.runs);
  if (folds.length < 2) throw new Failure(`${set.name}: holds runs of one kind, and none to learn from`);
  const models = new Map<BenchRun, ForecastModel>();
  for (const { train, test } of folds) {
    const model = fitForecast(train);
    for (const run of test) models.set(run, model);
  }
  return { ...set, models };
}

/** The steps that a trainer would have logged. */
export function stepsAt({ steps }: BenchRun, every: number) {
  return steps.filter(({ step }) => step % every === 0);
}

/** The signals that the forecast is given. */
export type Given = (typeof GIVEN)[number];
export const GIVEN = [
  'TEV',
  'TEV and loss',
  'TEV, loss and gradients',
  'these and the learning rate',
  'these and the planned rate',
] as const;

/** The plan is the rate of so many steps later, in a run that did not record it. */
const AHEAD_STEPS = 20;

/** The steps of a run with what is given of them, logged every n-th. */
function givenSteps(run: BenchRun, every: number, given: Given): Signals[] {
  const rates = new Map(run.steps.map(({ step, lr }) => [step, lr]));
  const last = run.steps.at(-1)?.lr;
  const known = GIVEN.indexOf(given);
  return stepsAt(run, every).map(({ step, tevMean, tevStd, loss, gradVar, gradNorm, lr, lrAhead }) => ({
    step,
    tevMean,
    tevStd,
    ...(known >= 1 && { loss }),
    ...(known >= 2 && { gradVar, gradNorm }),
    ...(known >= 3 && { lr }),
    ...(known >= 4 && { lrAhead: lrAhead ?? rates.get(step + AHEAD_STEPS) ?? last }),
  }));
}

/** The first critical alert of `tev-growth`, with its default settings. */
export function forecastAlarm(
  run: BenchRun,
  model: ForecastModel | undefined,
  every: number,
  given: Given,
): number | null {
  const detector = new Detector({}, { rules: [tevGrowthBy(model)] });
  for (const signals of givenSteps(run, every, given)) {
    if (raisesCritical(detector, signals)) return signals.step;
  }
  return null;
}

/** The forecasts of a run up to its onset, given all but a plan. */
export function forecastsOf(run: BenchRun, model: ForecastModel | undefined, every = 1): Forecast[] {
  const forecaster = new Forecaster(model);
  return givenSteps(run, every, 'these and the learning rate').flatMap((signals) => {
    if (run.onset !== null && signals.step >= run.onset) return [];
    return forecaster.observe(signals) ?? [];
  });
}

const BINS = 5;

/** What became of the runs whose risk was at some step from `from` to `to`; each counts once. */
export interface Calibration {
  from: number;
  to: number;
  runs: number;
  /** The mean risk that was stated for them. */
  risk: number;
  /** The share of their steps at that risk that were followed by onset within the horizon, in the mean over the runs. */
  happened: number;
  /** The binomial 90 % interval of that share, for as many runs. */
  interval: readonly [number, number];
}

export function calibrationOf(models: Models, every: number): Calibration[] {
  const bins = Array.from({ length: BINS }, (): { risk: number; happened: number }[] => []);
  for (const [run, model] of models) {
    const forecasts = forecastsOf(run, model, every);
    for (const [at, bin] of bins.entries()) {
      const stated = forecasts.filter(({ risk }) => Math.min(BINS - 1, Math.floor(BINS * risk)) === at);
      if (stated.length === 0) continue;
      const came = stated.filter(({ step }) => run.onset !== null && run.onset - step <= HORIZON_STEPS);
      bin.push({ risk: mean(stated.map(({ risk }) => risk)), happened: came.length / stated.length });
    }
  }
  return bins.map((runs, at) => {
    const happened = mean(runs.map((run) => run.happened));
    return {
      from: at / BINS,
      to: (at + 1) / BINS,
      runs: runs.length,
      risk: mean(runs.map(({ risk }) => risk)),
      happened,
      interval: wilson(happened, runs.length),
    };
  });
}

/** Of the standard normal distribution: 5 % lie above. */
const Z = 1.645;

/** The interval of a share of n that holds nine times of ten (Wilson 1927). */
export function wilson(share: number, n: number): [low: number, high: number] {
  const scale = 1 + Z ** 2 / n;
  const middle = (share + Z ** 2 / (2 * n)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  return [middle - half, middle + half];
}

/** How well the predicted steps of the runs of a kind did; each run counts once. */
export interface Coverage {
  kind: string;
  /** Those that diverged and had a prediction before. */
  runs: number;
  /** The share of predictions whose interval held the onset. */
  held: number;
  /** Steps from the prediction to the onset, either way, in the median. */
  error: number;
}

export function coverageOf(models: Models, every: number): Coverage[] {
  const kinds = new Map<string, { held: number; error: number }[]>();
  for (const [run, model] of models) {
    const { onset, kind } = run;
    if (onset === null) continue;
    const predicted = forecastsOf(run, model, every).flatMap(({ divergenceStep, interval }) => {
      if (divergenceStep === null || interval === null) return [];
      return [{ held: interval[0] <= onset && onset <= interval[1], error: Math.abs(divergenceStep - onset) }];
    });
    if (predicted.length === 0) continue;
    const held = predicted.filter((one) => one.held).length / predicted.length;
    kinds.set(kind, [...(kinds.get(kind) ?? []), { held, error: median(predicted.map(({ error }) => error)) }]);
  }
  return [...kinds].sort().map(([kind, runs]) => ({
    kind,
    runs: runs.length,
    held: mean(runs.map(({ held }) => held)),
    error: median(runs.map(({ error }) => error)),
  }));
}

/** Microseconds per step, and the largest state of a forecaster in bytes. */
export function costOf(runs: readonly BenchRun[]): { microseconds: number; bytes: number } {
  let [fastest, bytes] = [Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < 5; round++) {
    let [milliseconds, steps] = [0, 0];
    for (const run of runs) {
      const forecaster = new Forecaster();
      const begin = performance.now();
      for (const signals of run.steps) forecaster.observe(signals);
      milliseconds += performance.now() - begin;
      steps += run.steps.length;
      bytes = Math.max(bytes, JSON.stringify(forecaster.state()).length);
    }
    fastest = Math.min(fastest, milliseconds / steps); // other work on the machine only adds
  }
  return { microseconds: 1e3 * fastest, bytes };
}
