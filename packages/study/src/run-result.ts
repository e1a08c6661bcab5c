import type { RecordedStep } from '@evenkeel/protocol';
import { divergedAt, mean } from '@evenkeel/stability';
import { groupBy } from './group-by.ts';
import { pearson, spearman } from './statistics.ts';
import type { PlannedRun } from './study-file.ts';
import type { TrainedRun } from './trained-run.ts';

/** The end of a run: its last tenth. */
const END = 0.1;
/** Points of a run's curve. */
const BINS = 50;

export interface Correlation {
  pearson: number;
  spearman: number;
}

/** What a study measures of one run. NaN where it is not known. */
export interface RunResult {
  name: string;
  attention: string;
  layers: number;
  lr: number;
  seed: number;
  /** Steps, and their duration in seconds. */
  steps: number;
  seconds: number;
  /** The step at which the run diverged; null where it did not. */
  divergedAt: number | null;
  /** At the last step that has a value. */
  tevMean: number;
  tevStd: number;
  evalPerplexity: number;
  /** The max of all steps. */
  tevMax: number;
  /** Of all parameters: the mean over the last tenth of the steps, and over all of them. */
  gradVar: number;
  gradVarMean: number;
  layerNames: readonly string[];
  /** By layer, the means over the last tenth of the steps. */
  layerGradVar: number[];
  layerOutVar: number[];
  /** Of log tevMean with log gradVar, over the steps. */
  correlation: { all: Correlation; afterWarmup: Correlation };
  curve: CurvePoint[];
}

/** The mean of the steps from one on, and before another. */
interface CurvePoint {
  from: number;
  to: number;
  tevMean: number;
  gradVar: number;
  layerGradVar: number[];
}

/** NaN where a step does not carry it. */
type Measure = (step: RecordedStep) => number;
const tevMean: Measure = (step) => step.tevMean ?? Number.NaN;
const tevStd: Measure = (step) => step.tevStd ?? Number.NaN;
const gradVar: Measure = (step) => step.gradVar ?? Number.NaN;
const evalPerplexity: Measure = (step) => step.custom?.evalPerplexity ?? Number.NaN;

export function resultOf(run: PlannedRun, { steps, layers: layerNames, duration }: TrainedRun): RunResult {
  const { name, attention, layers, lr, seed } = run;
  const end = steps.filter(({ step }) => step >= run.steps * (1 - END));
  return {
    ...{ name, attention, layers, lr, seed, layerNames },
    steps: (steps.at(-1)?.step ?? -1) + 1,
    seconds: duration / 1000,
    divergedAt: divergedAt(steps),
    tevMean: last(steps, tevMean),
    tevStd: last(steps, tevStd),
    evalPerplexity: last(steps, evalPerplexity),
    tevMax: present(steps, tevMean).reduce((max, value) => Math.max(max, value), 0) || Number.NaN,
    gradVar: mean(present(end, gradVar)),
    gradVarMean: mean(present(steps, gradVar)),
    layerGradVar: layerMeans(end, 'layerGradVar'),
    layerOutVar: layerMeans(end, 'layerOutVar'),
    correlation: {
      all: stepCorrelation(steps),
      afterWarmup: stepCorrelation(steps.filter(({ step }) => step >= run.warmup)),
    },
    curve: curveOf(steps, run.steps),
  };
}

function stepCorrelation(steps: readonly RecordedStep[]): Correlation {
  const measured = steps.filter((step) => isPositive(tevMean(step)) && isPositive(gradVar(step)));
  return logCorrelation(measured.map(tevMean), measured.map(gradVar));
}

function isPositive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

/** Of the logarithms, since both sides span orders of magnitude; all values are positive. */
export function logCorrelation(x: readonly number[], y: readonly number[]): Correlation {
  const logX = x.map(Math.log);
  const logY = y.map(Math.log);
  return { pearson: pearson(logX, logY), spearman: spearman(logX, logY) };
}

function present(steps: readonly RecordedStep[], measure: Measure): number[] {
  return steps.map(measure).filter((value) => !Number.isNaN(value));
}

function last(steps: readonly RecordedStep[], measure: Measure): number {
  return present(steps, measure).at(-1) ?? Number.NaN;
}

/** By layer, the mean over the steps that carry the field. */
function layerMeans(steps: readonly RecordedStep[], field: 'layerGradVar' | 'layerOutVar'): number[] {
  return columnMeans(steps.flatMap((step) => (step[field] ? [step[field]] : [])));
}

/** The mean of each column of rows of one length. */
export function columnMeans(rows: readonly (readonly number[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => mean(rows.map((row) => row[column] ?? Number.NaN)));
}

function curveOf(steps: readonly RecordedStep[], planned: number): CurvePoint[] {
  const width = Math.ceil(planned / BINS);
  const bins = groupBy(steps, ({ step }) => Math.floor(step / width));
  return [...bins].map(([bin, members]) => ({
    from: bin * width,
    to: (bin + 1) * width,
    tevMean: mean(present(members, tevMean)),
    gradVar: mean(present(members, gradVar)),
    layerGradVar: layerMeans(members, 'layerGradVar'),
  }));
}
