import { markdownTable } from '@evenkeel/terminal';
import { readable, readableSpread } from './readable.ts';
import type { Cell, Results } from './results.ts';
import type { RunResult } from './run-result.ts';
import { readableRate } from './study-file.ts';
import { type Claim, growthOf, judgementOf, othersOf, verdictOf } from './verdict.ts';

/** The results as a page: the verdict, then tables with what they mean. `plots` are files beside it, with captions. */
export function markdownOf(results: Results, plots: readonly { file: string; caption: string }[]): string {
  const sections = [
    `# ${results.project}`,
    summary(results),
    '## Verdict',
    'Computed from the runs. A value counts as lower at a depth where it is lower for every seed; differences are of pairs of one seed. The claims are those of Chung et al., _Stable Language Model Pre-training by Reducing Embedding Variability_ (arXiv 2409.07787).',
    ...verdictOf(results).map(claimText),
    ...(othersOf(results).length > 0 ? ['## For comparison', ...othersOf(results).map(claimText)] : []),
    '## Plots',
    ...plots.map(({ file, caption }) => `![${caption}](${file})\n\n${caption}`),
    '## Tables',
    ...tables(results),
  ];
  return `${sections.join('\n\n')}\n`;
}

function summary({ runs, missing, lr }: Results): string {
  const diverged = runs.filter(({ divergedAt }) => divergedAt !== null).length;
  const hours = runs.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
  const counts = `${runs.length} runs, ${diverged} of them diverged; ${readable(hours)} hours of one process each, together. Depths are compared at a learning rate of ${readableRate(lr)}.`;
  if (missing.length === 0) return counts;
  return `${counts}\n\nNot in here:\n\n${missing.map(({ name, why }) => `- ${name}: ${why}`).join('\n')}`;
}

function claimText(claim: Claim): string {
  const statements = claim.statements.map(({ text }) => `- ${text}.`);
  return [`**${claim.text}: ${judgementOf(claim)}.**`, '', ...statements].join('\n').trim();
}

function tables(results: Results): string[] {
  return [
    '### By attention and depth',
    'Mean over seeds ± standard deviation, of the runs that did not diverge. tevMean and tevStd are those of the last step. Total gradient variance is the trace of the covariance of the micro-batch gradient, over all parameters: at the end (mean over the last tenth of the steps), and over the whole run (mean over all steps). It is a sum over parameters, so it grows with their number. Perplexity is of held-out text at the last step.',
    table(depthColumns, results.cells),
    '### TEV with gradient variance, within a run',
    'Correlation over the steps of log tevMean with log gradient variance, mean over seeds ± standard deviation; runs that diverged are in it as far as they got. Both follow the training’s progress, so that a large value alone proves little; a negative one speaks against.',
    table(correlationColumns, results.cells),
    '### TEV with gradient variance, over runs',
    'Correlation of log tevMean with log gradient variance at the end of runs that did not diverge, of all attentions and seeds.',
    table(acrossColumns, results.acrossRuns),
    '### By layer',
    'Means at the end, over the last tenth of the steps and the seeds. Blocks of one model have as many parameters each; the embeddings and the head have other numbers. Output variance is of a layer’s output over the entries of a position.',
    table(layerColumns, results.cells),
    ...sweepTable(results.sweep),
    '### Every run',
    table(runColumns, results.runs),
  ];
}

function sweepTable(sweep: readonly Cell[]): string[] {
  if (sweep.length === 0) return [];
  const [{ layers, seeds }] = sweep as [Cell];
  const over = seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(', ')}`;
  return [
    `### Learning rates at ${layers} layers`,
    `Of ${over}. The largest tevMean is of all steps and of the runs that diverged too.`,
    table(sweepColumns, sweep),
  ];
}

type Columns<Row> = readonly [head: string, cell: (row: Row) => string][];

const divergedOf = ({ seeds, diverged }: Cell) => `${diverged} of ${seeds.length}`;

const depthColumns: Columns<Cell> = [
  ['attention', ({ attention }) => attention],
  ['layers', ({ layers }) => String(layers)],
  ['diverged', divergedOf],
  ['tevMean', (cell) => readableSpread(cell.tevMean)],
  ['tevStd', (cell) => readableSpread(cell.tevStd)],
  ['gradient variance, end', (cell) => readableSpread(cell.gradVar)],
  ['gradient variance, whole run', (cell) => readableSpread(cell.gradVarMean)],
  ['perplexity', perplexity],
];

const correlationColumns: Columns<Cell> = [
  ['attention', ({ attention }) => attention],
  ['layers', ({ layers }) => String(layers)],
  ['Pearson, all steps', ({ correlation }) => readableSpread(correlation.all.pearson)],
  ['Spearman, all steps', ({ correlation }) => readableSpread(correlation.all.spearman)],
  ['Pearson, after warm-up', ({ correlation }) => readableSpread(correlation.afterWarmup.pearson)],
  ['Spearman, after warm-up', ({ correlation }) => readableSpread(correlation.afterWarmup.spearman)],
];

const acrossColumns: Columns<Results['acrossRuns'][number]> = [
  ['layers', ({ layers }) => (layers === null ? 'all' : String(layers))],
  ['lr', ({ lr }) => (lr === null ? 'all' : readableRate(lr))],
  ['runs', ({ runs }) => String(runs)],
  ['Pearson', (row) => readable(row.pearson)],
  ['Spearman', (row) => readable(row.spearman)],
];

const layerColumns: Columns<Cell> = [
  ['attention', ({ attention }) => attention],
  ['layers', ({ layers }) => String(layers)],
  ['gradient variance: embedding', (cell) => named(cell, cell.layerGradVar, /^embedding/)],
  ['first block', (cell) => named(cell, cell.layerGradVar, /^block 1$/)],
  ['last block', (cell) => named(cell, cell.layerGradVar, lastBlock(cell))],
  ['head', (cell) => named(cell, cell.layerGradVar, /^head/)],
  ['output variance: embedding', (cell) => named(cell, cell.layerOutVar, /^embedding/)],
  ['first block', (cell) => named(cell, cell.layerOutVar, /^block 1$/)],
  ['last block', (cell) => named(cell, cell.layerOutVar, lastBlock(cell))],
  ['last block to embedding', (cell) => readable(growthOf(cell))],
];

const sweepColumns: Columns<Cell> = [
  ['attention', ({ attention }) => attention],
  ['lr', ({ lr }) => readableRate(lr)],
  ['diverged', divergedOf],
  ['perplexity', perplexity],
  ['largest tevMean', (cell) => readableSpread(cell.tevMax)],
];

const runColumns: Columns<RunResult> = [
  ['run', ({ name }) => name],
  ['steps', ({ steps }) => String(steps)],
  ['seconds', ({ seconds }) => seconds.toFixed(0)],
  ['diverged at', ({ divergedAt }) => (divergedAt === null ? '' : String(divergedAt))],
  ['tevMean', (run) => readable(run.tevMean)],
  ['tevStd', (run) => readable(run.tevStd)],
  ['gradient variance, end', (run) => readable(run.gradVar)],
  ['perplexity', (run) => readable(run.evalPerplexity)],
];

function perplexity({ evalPerplexity, diverged, seeds }: Cell): string {
  return diverged === seeds.length ? 'diverged' : readableSpread(evalPerplexity);
}

function lastBlock({ layers }: Cell): RegExp {
  return new RegExp(`^block ${layers}$`);
}

function named({ layerNames }: Cell, values: readonly number[], name: RegExp): string {
  return readable(values[layerNames.findIndex((layer) => name.test(layer))] ?? Number.NaN);
}

/** Cells are numbers but for the first column's. */
function table<Row>(columns: Columns<Row>, rows: readonly Row[]): string {
  const headings = columns.map(([heading]) => heading);
  const lines = rows.map((row) => columns.map(([, cell]) => cell(row)));
  const alignment = columns.map((_, at) => (at === 0 ? 'left' : 'right'));
  return markdownTable([headings, ...lines], alignment).join('\n');
}
