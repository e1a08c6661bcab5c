import {
  Detector,
  type Forecast,
  Forecaster,
  type ForecastModel,
  fitForecast,
  HORIZON_STEPS,
  tevGrowthBy,
  upperMedian,
} from '@evenkeel/stability';
import { foldsOf } from './folds.ts';
import type { BenchRun, RunSet } from './run-set.ts';

/** For each run the model that judges it, fitted without it; undefined is the shipped one. */
export type Models = ReadonlyMap<BenchRun, ForecastModel | undefined>;

/** A set of runs with the models that judge them: one per split of a labeled set, otherwise one. */
export interface JudgedSet extends RunSet {
  splits: readonly [Models, ...Models[]];
}

/** How runs are split where they are cross-validated. */
export interface Splitting {
  folds: number;
  /** Seeds of splits. */
  seeds: readonly [number, ...number[]];
}

/** Runs to which the shipped constants may have been fitted are judged by other models. */
export function judged(set: RunSet, { folds, seeds: [first, ...more] }: Splitting): JudgedSet {
  if (!set.isLabeled) return { ...set, splits: [new Map(set.runs.map((run) => [run, undefined]))] };
  const split = (seed: number) => crossFit(set.runs, folds, seed);
  return { ...set, splits: [split(first), ...more.map(split)] };
}

function crossFit(runs: readonly BenchRun[], folds: number, seed: number): Models {
  const models = new Map<BenchRun, ForecastModel>();
  for (const { train, test } of foldsOf(runs, folds, seed)) {
    const model = fitForecast(train);
    for (const run of test) models.set(run, model);
  }
  return models;
}

/** The steps that a trainer would have logged. */
export function stepsAt({ steps }: BenchRun, every: number) {
  return steps.filter(({ step }) => step % every === 0);
}

/** The signals that the forecast is given; never the learning rate. */
export type Given = 'TEV' | 'TEV and gradients';
export const GIVEN: readonly Given[] = ['TEV', 'TEV and gradients'];

/** The first critical alert of `tev-growth`, with its default settings. */
export function forecastAlarm(
  run: BenchRun,
  model: ForecastModel | undefined,
  every: number,
  given: Given,
): number | null {
  const detector = new Detector({}, { rules: [tevGrowthBy(model)] });
  for (const { step, tevMean, tevStd, gradVar, gradNorm } of stepsAt(run, every)) {
    const verdicts = detector.observe({ step, tevMean, tevStd, ...(given !== 'TEV' && { gradVar, gradNorm }) });
    if (verdicts.some((verdict) => verdict.kind !== 'resolved' && verdict.finding.severity === 'critical')) return step;
  }
  return null;
}

/** The forecasts of a run up to its onset. */
export function forecastsOf(run: BenchRun, model?: ForecastModel): Forecast[] {
  const forecaster = new Forecaster(model);
  return stepsAt(run, 1).flatMap((signals) => {
    if (run.onset !== null && signals.step >= run.onset) return [];
    const forecast = forecaster.observe(signals);
    return forecast ? [forecast] : [];
  });
}

/** Of the steps whose risk lies from `from` to `to`. */
export interface Calibration {
  from: number;
  to: number;
  steps: number;
  /** Share that is followed by onset within the horizon. */
  happened: number;
}

export function calibrationOf(models: Models): Calibration[] {
  const bins = Array.from({ length: 10 }, () => ({ steps: 0, happened: 0 }));
  for (const [run, model] of models) {
    for (const { step, risk } of forecastsOf(run, model)) {
      const bin = bins[Math.min(9, Math.floor(10 * risk))];
      if (!bin) continue;
      bin.steps += 1;
      if (run.onset !== null && run.onset - step <= HORIZON_STEPS) bin.happened += 1;
    }
  }
  return bins.map(({ steps, happened }, at) => ({
    from: at / 10,
    to: (at + 1) / 10,
    steps,
    happened: happened / steps,
  }));
}

/** Share of the forecasts with an interval, of runs that diverged, whose interval held the onset; and their mean error. */
export function coverageOf(models: Models): { forecasts: number; held: number; medianError: number } {
  const errors: number[] = [];
  let held = 0;
  for (const [run, model] of models) {
    if (run.onset === null) continue;
    for (const { interval, divergenceStep } of forecastsOf(run, model)) {
      if (!interval || divergenceStep === null) continue;
      errors.push(Math.abs(divergenceStep - run.onset));
      if (interval[0] <= run.onset && run.onset <= interval[1]) held += 1;
    }
  }
  return {
    forecasts: errors.length,
    held: held / errors.length,
    medianError: upperMedian(errors),
  };
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
