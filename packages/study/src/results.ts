import { mean } from '@evenkeel/stability';
import { groupBy } from './group-by.ts';
import { type Correlation, columnMeans, logCorrelation, type RunResult } from './run-result.ts';
import { standardDeviation } from './statistics.ts';

/** Over seeds. NaN where nothing is known; `sd` is NaN of one seed. */
export interface Spread {
  mean: number;
  sd: number;
}

/** Runs that differ only by their seed. Means are over those that did not diverge. */
export interface Cell {
  attention: string;
  layers: number;
  lr: number;
  seeds: number[];
  diverged: number;
  tevMean: Spread;
  tevStd: Spread;
  /** The max of a run, including runs that diverged. */
  tevMax: Spread;
  gradVar: Spread;
  gradVarMean: Spread;
  evalPerplexity: Spread;
  /** Including runs that diverged. */
  correlation: Record<'all' | 'afterWarmup', Record<keyof Correlation, Spread>>;
  layerNames: readonly string[];
  layerGradVar: number[];
  layerOutVar: number[];
}

/** Of log tevMean with log gradVar at the end of runs. */
interface RunsCorrelation extends Correlation {
  /** The runs' depth; null of all depths together. */
  layers: number | null;
  /** Their learning rate; null of all together. */
  lr: number | null;
  runs: number;
}

export interface Results {
  project: string;
  /** The learning rate that depths are compared at: the one with most runs, the smallest of several. */
  lr: number;
  runs: RunResult[];
  /** Runs that have no result, and why. */
  missing: { name: string; why: string }[];
  /** At `lr`, by attention and depth. */
  cells: Cell[];
  /** At the greatest depth that has several learning rates, over the seeds that all of these have. */
  sweep: Cell[];
  acrossRuns: RunsCorrelation[];
}

export function resultsOf(project: string, runs: readonly RunResult[], missing: Results['missing']): Results {
  const lr = commonRate(runs);
  const compared = runs.filter((run) => run.lr === lr);
  return {
    ...{ project, lr, runs: [...runs], missing },
    cells: cellsOf(compared),
    sweep: sweepOf(runs),
    acrossRuns: acrossRuns(runs, lr),
  };
}

function commonRate(runs: readonly RunResult[]): number {
  const rates = [...groupBy(runs, ({ lr }) => lr)].map(([lr, { length }]) => ({ lr, length }));
  return rates.sort((a, b) => b.length - a.length || a.lr - b.lr)[0]?.lr ?? Number.NaN;
}

/** By attention in the order of the runs, then by depth and rate. */
function cellsOf(runs: readonly RunResult[]): Cell[] {
  const order = [...new Set(runs.map(({ attention }) => attention))];
  const groups = groupBy(runs, ({ attention, layers, lr }) => JSON.stringify([attention, layers, lr]));
  const cells = [...groups.values()].map(cellOf);
  const place = (cell: Cell) => order.indexOf(cell.attention);
  return cells.sort((a, b) => place(a) - place(b) || a.layers - b.layers || a.lr - b.lr);
}

function cellOf(runs: readonly RunResult[]): Cell {
  const { attention, layers, lr, layerNames } = runs[0] as RunResult;
  const steady = runs.filter(({ divergedAt }) => divergedAt === null);
  const over = (of: readonly RunResult[], measure: (run: RunResult) => number) => spread(of.map(measure));
  const correlation = (span: 'all' | 'afterWarmup') => ({
    pearson: over(runs, (run) => run.correlation[span].pearson),
    spearman: over(runs, (run) => run.correlation[span].spearman),
  });
  return {
    ...{ attention, layers, lr, layerNames },
    seeds: runs.map(({ seed }) => seed),
    diverged: runs.length - steady.length,
    tevMean: over(steady, (run) => run.tevMean),
    tevStd: over(steady, (run) => run.tevStd),
    tevMax: over(runs, (run) => run.tevMax),
    gradVar: over(steady, (run) => run.gradVar),
    gradVarMean: over(steady, (run) => run.gradVarMean),
    evalPerplexity: over(steady, (run) => run.evalPerplexity),
    correlation: { all: correlation('all'), afterWarmup: correlation('afterWarmup') },
    layerGradVar: columnMeans(steady.map((run) => run.layerGradVar)),
    layerOutVar: columnMeans(steady.map((run) => run.layerOutVar)),
  };
}

/** Mean and standard deviation of the values that are not NaN. */
export function spread(values: readonly number[]): Spread {
  const known = values.filter((value) => !Number.isNaN(value));
  return { mean: mean(known), sd: standardDeviation(known) };
}

function sweepOf(runs: readonly RunResult[]): Cell[] {
  const depths = [...groupBy(runs, ({ layers }) => layers)].sort(([a], [b]) => b - a);
  const [, deepest] = depths.find(([, members]) => new Set(members.map(({ lr }) => lr)).size > 1) ?? [];
  if (!deepest) return [];
  const seeds = [...groupBy(deepest, ({ lr }) => lr).values()].map((members) => members.map(({ seed }) => seed));
  return cellsOf(deepest.filter(({ seed }) => seeds.every((of) => of.includes(seed))));
}

/** Without runs that diverged, which have no meaningful end. */
function acrossRuns(runs: readonly RunResult[], lr: number): RunsCorrelation[] {
  const steady = runs.filter((run) => run.divergedAt === null && run.gradVar > 0 && run.tevMean > 0);
  const compared = steady.filter((run) => run.lr === lr);
  const depths = [...groupBy(compared, ({ layers }) => layers)].sort(([a], [b]) => a - b);
  return [
    ...(compared.length < steady.length ? [endCorrelation(steady, { layers: null, lr: null })] : []),
    endCorrelation(compared, { layers: null, lr }),
    ...depths.map(([layers, members]) => endCorrelation(members, { layers, lr })),
  ];
}

function endCorrelation(runs: readonly RunResult[], where: Pick<RunsCorrelation, 'layers' | 'lr'>): RunsCorrelation {
  const tev = runs.map((run) => run.tevMean);
  const gradVar = runs.map((run) => run.gradVar);
  return { ...where, ...logCorrelation(tev, gradVar), runs: runs.length };
}
