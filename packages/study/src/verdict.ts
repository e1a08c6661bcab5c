import { groupBy } from './group-by.ts';
import { readable, readableSpread } from './readable.ts';
import type { Cell, Results, Spread } from './results.ts';
import { spread } from './results.ts';
import type { RunResult } from './run-result.ts';
import { spearman } from './statistics.ts';
import { readableRate } from './study-file.ts';

/** One comparison, and in how many cases it is as claimed. */
interface Statement {
  text: string;
  holds: number;
  of: number;
}

export interface Claim {
  /** As the paper has it. */
  text: string;
  statements: Statement[];
}

/** A rank correlation above this counts as following. */
const FOLLOWS = 0.5;
/** The attention that the others are compared with. */
const BASELINE = 'mha';

/** The claims of Chung et al. (arXiv 2409.07787) with what was computed from the runs. */
export function verdictOf(results: Results): Claim[] {
  const mlra = results.cells.find(({ attention }) => attention.startsWith('mlra'))?.attention ?? 'mlra';
  return [
    { text: 'TEV follows gradient variance, within a run', statements: followingWithin(results) },
    { text: 'TEV follows gradient variance, from run to run', statements: followingAcross(results) },
    { text: 'Shallow layers have the larger gradient variance', statements: shallowness(results) },
    {
      text: 'MLRA lowers TEV, gradient variance and perplexity against MHA, the more the deeper the model',
      statements: comparisons(results, mlra),
    },
    { text: 'MLRA limits the variance of what the layers put out', statements: outputs(results, mlra) },
  ];
}

/** The same comparison with the baseline for the other attentions, of which the paper claims nothing. */
export function othersOf(results: Results): Claim[] {
  const others = new Set(results.cells.map(({ attention }) => attention));
  return [...others]
    .filter((attention) => attention !== BASELINE && !attention.startsWith('mlra'))
    .map((attention) => ({
      text: `${attention} against ${BASELINE}`,
      statements: [...comparisons(results, attention), ...outputs(results, attention)],
    }));
}

/** "holds", "holds in part (5 of 9)", "does not hold", or "undecided" where nothing could be compared. */
export function judgementOf({ statements }: Claim): string {
  const holds = statements.reduce((sum, statement) => sum + statement.holds, 0);
  const of = statements.reduce((sum, statement) => sum + statement.of, 0);
  if (of === 0) return 'undecided';
  if (holds === of) return `holds (${of} of ${of})`;
  return holds === 0 ? `does not hold (0 of ${of})` : `holds in part (${holds} of ${of})`;
}

function followingWithin({ runs }: Results): Statement[] {
  const spans = ['all', 'afterWarmup'] as const;
  return spans.map((span) => {
    const known = runs.map((run) => run.correlation[span].spearman).filter((value) => !Number.isNaN(value));
    const holds = known.filter((value) => value > FOLLOWS).length;
    const when = span === 'all' ? 'Over all steps' : 'After warm-up';
    const text = `${when} the rank correlation is above ${FOLLOWS} in ${holds} of ${known.length} runs (mean ${readableSpread(spread(known))})`;
    return { text, holds, of: known.length };
  });
}

function followingAcross({ acrossRuns }: Results): Statement[] {
  const known = acrossRuns.filter((correlation) => !Number.isNaN(correlation.spearman));
  return known.map(({ layers, lr, spearman, runs }) => {
    const depths = layers === null ? 'all depths' : `${layers} layers`;
    const rates = lr === null ? 'all learning rates' : `lr ${readableRate(lr)}`;
    const text = `At the end of ${runs} runs of ${depths} and ${rates} the rank correlation is ${readable(spearman)}`;
    return { text, holds: Number(spearman > FOLLOWS), of: 1 };
  });
}

function shallowness({ cells }: Results): Statement[] {
  const statements = [...groupBy(cells, ({ attention }) => attention)].map(([attention, members]) => {
    const blocks = members.map((cell) => ({ layers: cell.layers, values: blockValues(cell, cell.layerGradVar) }));
    const known = blocks.filter(({ values }) => values.length > 1);
    const falling = known.filter(({ values }) => (values[0] as number) > (values.at(-1) as number));
    const each = known.map(({ layers, values }) => {
      const ratio = (values[0] as number) / (values.at(-1) as number);
      return `${layers} layers: ${readable(ratio)} times, rank correlation with depth ${readable(trend(values))}`;
    });
    const text = `${attention}: the first block’s is larger than the last one’s at ${falling.length} of ${known.length} depths (${each.join('; ')})`;
    return { text, holds: falling.length, of: known.length };
  });
  return statements.filter(({ of }) => of > 0);
}

/** Of the values with their place. */
function trend(values: readonly number[]): number {
  return spearman(
    values.map((_, at) => at),
    values,
  );
}

function blockValues({ layerNames }: Cell, values: readonly number[]): number[] {
  return values.filter((_, at) => layerNames[at]?.startsWith('block'));
}

type Measure = (run: RunResult) => number;

/** The measures that a cure should lower. */
const LOWERED: [name: string, measure: Measure][] = [
  ['Final tevMean', (run) => run.tevMean],
  ['Final gradient variance', (run) => run.gradVar],
  ['Gradient variance over the whole run', (run) => run.gradVarMean],
  ['Final held-out perplexity', (run) => run.evalPerplexity],
];

function comparisons(results: Results, attention: string): Statement[] {
  const lowered = LOWERED.flatMap(([name, measure]) => {
    const depths = relativeDifferences(results, attention, measure);
    return [loweredAt(name, depths), deeperIsMore(name, depths)];
  });
  return [...lowered, ...divergences(results, attention)].filter((statement) => statement !== null);
}

function outputs(results: Results, attention: string): Statement[] {
  const lastBlock: Measure = (run) => run.layerOutVar[run.layerNames.findLastIndex(isBlock)] ?? Number.NaN;
  const name = 'Variance of the last block’s output';
  const depths = relativeDifferences(results, attention, lastBlock);
  const growth = relativeDifferences(results, attention, growthOf);
  return [loweredAt(name, depths), loweredAt('Its growth from the embeddings to there', growth)].filter(
    (statement) => statement !== null,
  );
}

/** How many times the variance of the embeddings the last block's output has. */
export function growthOf({ layerNames, layerOutVar }: Pick<RunResult, 'layerNames' | 'layerOutVar'>): number {
  return (layerOutVar[layerNames.findLastIndex(isBlock)] ?? Number.NaN) / (layerOutVar[0] ?? Number.NaN);
}

function isBlock(name: string): boolean {
  return name.startsWith('block');
}

interface DepthDifference {
  layers: number;
  /** (value − baseline's) / baseline's, of pairs of one seed. */
  differences: number[];
}

/** Between runs of one depth and seed at the common rate, by depth; pairs with a diverged run are left out. */
function relativeDifferences({ runs, lr }: Results, attention: string, measure: Measure): DepthDifference[] {
  const steady = runs.filter((run) => run.lr === lr && run.divergedAt === null);
  const depths = groupBy(
    steady.filter((run) => run.attention === attention),
    ({ layers }) => layers,
  );
  return [...depths]
    .sort(([a], [b]) => a - b)
    .map(([layers, members]) => ({
      layers,
      differences: members.flatMap((run) => {
        const other = steady.find((b) => b.attention === BASELINE && b.layers === layers && b.seed === run.seed);
        const difference = other ? measure(run) / measure(other) - 1 : Number.NaN;
        return Number.isNaN(difference) ? [] : [difference];
      }),
    }))
    .filter(({ differences }) => differences.length > 0);
}

/** It counts as lower at a depth where it is at every seed. */
function loweredAt(name: string, depths: readonly DepthDifference[]): Statement | null {
  if (depths.length === 0) return null;
  const lower = depths.filter(({ differences }) => differences.every((value) => value < 0));
  const each = depths.map(({ layers, differences }) => {
    const seeds = differences.filter((value) => value < 0).length;
    return `${layers} layers: ${percent(spread(differences))}, lower at ${seeds} of ${differences.length} seeds`;
  });
  const text = `${name} is lower at ${lower.length} of ${depths.length} depths (${each.join('; ')})`;
  return { text, holds: lower.length, of: depths.length };
}

function deeperIsMore(name: string, depths: readonly DepthDifference[]): Statement | null {
  const [shallow, deep] = [depths[0], depths.at(-1)];
  if (!shallow || !deep || shallow === deep) return null;
  const [from, to] = [spread(shallow.differences), spread(deep.differences)];
  const holds = to.mean < from.mean && to.mean < 0;
  const text = `${name}: the difference goes from ${percent(from)} at ${shallow.layers} layers to ${percent(to)} at ${deep.layers}`;
  return { text, holds: Number(holds), of: 1 };
}

/** Whether fewer runs diverge, where any does. */
function divergences({ runs }: Results, attention: string): Statement[] {
  const points = ({ layers, lr, seed }: RunResult) => JSON.stringify([layers, lr, seed]);
  const baseline = new Map(runs.filter((run) => run.attention === BASELINE).map((run) => [points(run), run]));
  const pairs = runs
    .filter((run) => run.attention === attention)
    .flatMap((run) => {
      const other = baseline.get(points(run));
      return other ? [{ run, other }] : [];
    });
  const ours = pairs.filter(({ run }) => run.divergedAt !== null).length;
  const theirs = pairs.filter(({ other }) => other.divergedAt !== null).length;
  if (ours + theirs === 0) return [];
  const text = `Of ${pairs.length} pairs of runs at all learning rates, ${ours} diverged with ${attention} and ${theirs} with ${BASELINE}`;
  return [{ text, holds: Number(ours < theirs), of: 1 }];
}

/** "−4.1 % ± 0.3 %" */
function percent({ mean, sd }: Spread): string {
  const sign = mean < 0 ? '−' : '+';
  const spreadText = Number.isNaN(sd) ? '' : ` ± ${(100 * sd).toFixed(1)} %`;
  return `${sign}${Math.abs(100 * mean).toFixed(1)} %${spreadText}`;
}
