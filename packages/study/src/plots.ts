import type { TopLevelSpec } from 'vega-lite';
import type { Cell, Results } from './results.ts';

/** A drawing of a study's results, in Vega-Lite. */
export interface Plot {
  file: string;
  caption: string;
  spec: TopLevelSpec;
}

/** Distinguishable with color blindness too: Okabe and Ito, Color Universal Design, 2008. */
const PALETTE = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'];
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'];

/** Dark on a white card, for light and dark pages. */
const CONFIG = {
  background: 'white',
  padding: 12,
  aria: false, // the page has a caption beside it
  font: 'Helvetica, Arial, sans-serif',
  view: { stroke: '#c8c8c8' },
  axis: {
    gridColor: '#ececec',
    labelOverlap: 'greedy',
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
  },
  header: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal' },
  legend: { labelFontSize: 12, orient: 'top', title: null, symbolSize: 80, labelLimit: 260 },
} as const;

/** The plots that the results have data for. */
export function plotsOf(results: Results): Plot[] {
  const plots = [byDepth, overTime, acrossRuns, byLayer, layersOverTime, outputsByLayer, learningRates];
  return plots.map((plot) => plot(results)).filter((plot) => plot !== null);
}

/** A column for each depth. */
const DEPTH = { field: 'layers', type: 'ordinal', title: null, header: { labelExpr: "datum.value + ' layers'" } };

type Mark = Record<string, unknown>;

function plot(file: string, caption: string, spec: Mark): Plot {
  return { file, caption, spec: { ...spec, config: CONFIG } as unknown as TopLevelSpec };
}

/** Color by attention, in the same order in every plot. */
function color(results: Pick<Results, 'runs'>): Mark {
  return { field: 'attention', type: 'nominal', scale: { domain: attentions(results), range: PALETTE } };
}

function shape(results: Results): Mark {
  return { field: 'attention', type: 'nominal', scale: { domain: attentions(results), range: SHAPES } };
}

function attentions({ runs }: Pick<Results, 'runs'>): string[] {
  return [...new Set(runs.map(({ attention }) => attention))];
}

function compared({ runs, lr }: Results) {
  return runs.filter((run) => run.lr === lr);
}

function byDepth(results: Results): Plot {
  const measures: [title: string, field: 'tevMean' | 'tevStd' | 'gradVar' | 'evalPerplexity'][] = [
    ['tevMean', 'tevMean'],
    ['tevStd', 'tevStd'],
    ['total gradient variance', 'gradVar'],
    ['held-out perplexity', 'evalPerplexity'],
  ];
  const steady = compared(results).filter(({ divergedAt }) => divergedAt === null);
  const panel = ([title, field]: (typeof measures)[number]) => {
    const seeds = steady.map((run) => ({ attention: run.attention, layers: run.layers, value: run[field] }));
    const means = results.cells.map((cell) => ({ ...at(cell), ...span(cell[field]) }));
    const offset = { field: 'attention', sort: attentions(results) };
    const base = { x: { field: 'layers', type: 'ordinal', title: 'layers', axis: { labelAngle: 0 } }, xOffset: offset };
    const y = { type: 'quantitative', title, scale: { zero: false } };
    return {
      ...{ width: 230, height: 190 },
      layer: [
        {
          data: { values: known(seeds, 'value') },
          mark: { type: 'point', filled: false, opacity: 0.7, size: 30 },
          encoding: { ...base, y: { ...y, field: 'value' }, color: color(results), shape: shape(results) },
        },
        {
          data: { values: known(means, 'low') },
          mark: { type: 'rule', strokeWidth: 2 },
          encoding: { ...base, y: { ...y, field: 'low' }, y2: { field: 'high' }, color: color(results) },
        },
        {
          data: { values: known(means, 'mean') },
          mark: { type: 'tick', thickness: 3, width: 14, orient: 'horizontal' },
          encoding: { ...base, y: { ...y, field: 'mean' }, color: color(results) },
        },
      ],
    };
  };
  const caption =
    'At the end of training, by attention and depth: a point for each seed, their mean, and one standard deviation up and down. Runs that diverged are left out.';
  return plot('by-depth.svg', caption, { concat: measures.map(panel), columns: 2 });
}

function at({ attention, layers }: Cell) {
  return { attention, layers };
}

function span({ mean, sd }: { mean: number; sd: number }) {
  return { mean, low: mean - sd, high: mean + sd };
}

/** Rows whose field is finite. */
function known<Row extends Mark>(rows: readonly Row[], field: keyof Row): Row[] {
  return rows.filter((row) => Number.isFinite(row[field]));
}

/** Rows whose field is above zero, for a logarithmic axis. */
function positive<Row extends Mark>(rows: readonly Row[], field: keyof Row): Row[] {
  return known(rows, field).filter((row) => (row[field] as number) > 0);
}

function overTime(results: Results): Plot {
  const rows = compared(results).flatMap(({ attention, layers, name, curve }) =>
    curve.map(({ from, to, ...values }) => ({ attention, layers, name, step: (from + to) / 2, ...values })),
  );
  const row = (field: 'tevMean' | 'gradVar', title: string) => ({
    data: { values: positive(rows, field) },
    facet: { column: DEPTH },
    spec: {
      ...{ width: 200, height: 150 },
      mark: { type: 'line', strokeWidth: 1.2, opacity: 0.85 },
      encoding: {
        x: { field: 'step', type: 'quantitative' },
        y: { field, type: 'quantitative', title, scale: { type: 'log', nice: false } },
        detail: { field: 'name' },
        color: color(results),
      },
    },
  });
  const vconcat = [row('tevMean', 'tevMean'), row('gradVar', 'total gradient variance')];
  const caption = 'TEV and gradient variance over the steps, a line for each run, by depth.';
  return plot('over-time.svg', caption, { vconcat });
}

function acrossRuns(results: Results): Plot {
  const rows = results.runs
    .filter(({ divergedAt }) => divergedAt === null)
    .map(({ attention, layers, tevMean, gradVar }) => ({ attention, layers, tevMean, gradVar }));
  const log = (field: string, title: string) => ({
    ...{ field, type: 'quantitative', title },
    scale: { type: 'log', nice: false, padding: 12 },
  });
  const caption =
    'TEV against gradient variance at the end of every run that did not diverge, of all learning rates; larger marks are deeper models.';
  return plot('over-runs.svg', caption, {
    ...{ width: 420, height: 300 },
    data: { values: positive(positive(rows, 'gradVar'), 'tevMean') },
    mark: { type: 'point', filled: true, opacity: 0.75 },
    encoding: {
      x: log('gradVar', 'total gradient variance'),
      y: log('tevMean', 'tevMean'),
      color: color(results),
      shape: shape(results),
      size: {
        ...{ field: 'layers', type: 'ordinal', scale: { range: [30, 140] } },
        legend: { title: 'layers', orient: 'right', symbolFillColor: '#777', symbolStrokeColor: '#777' },
      },
    },
  });
}

function byLayer(results: Results): Plot | null {
  const caption =
    'Gradient variance by layer at the end of training, mean over seeds: the embeddings (0), the blocks, and last the head.';
  return layerPlot(results, {
    file: 'grad-var-by-layer.svg',
    caption,
    field: 'layerGradVar',
    title: 'gradient variance',
  });
}

function outputsByLayer(results: Results): Plot | null {
  const caption =
    'Variance of what each layer puts out at the end of training, mean over seeds: the embeddings (0), then the blocks. The final norm is left out.';
  return layerPlot(results, { file: 'out-var-by-layer.svg', caption, field: 'layerOutVar', title: 'output variance' });
}

interface LayerPlot {
  file: string;
  caption: string;
  field: 'layerGradVar' | 'layerOutVar';
  title: string;
}

function layerPlot(results: Results, { file, caption, field, title }: LayerPlot): Plot | null {
  const rows = results.cells.flatMap((cell) =>
    cell[field].map((value, layer) => ({ ...at(cell), layer, name: cell.layerNames[layer] ?? '', value })),
  );
  const drawn = positive(rows, 'value').filter(({ name }) => field === 'layerGradVar' || name !== 'head');
  if (drawn.length === 0) return null;
  return plot(file, caption, {
    data: { values: drawn },
    facet: { column: DEPTH },
    resolve: { scale: { x: 'independent' } },
    spec: {
      ...{ width: 200, height: 190 },
      mark: { type: 'line', point: { size: 35 }, strokeWidth: 1.5 },
      encoding: {
        x: { field: 'layer', type: 'quantitative', axis: { tickMinStep: 1 }, scale: { nice: false } },
        y: { field: 'value', type: 'quantitative', title, scale: { type: 'log', nice: false, padding: 8 } },
        color: color(results),
        shape: shape(results),
      },
    },
  });
}

/** Of the first seed at the greatest depth. */
function layersOverTime(results: Results): Plot | null {
  const runs = compared(results);
  const layers = Math.max(...runs.map((run) => run.layers));
  const seed = Math.min(...runs.filter((run) => run.layers === layers).map((run) => run.seed));
  const rows = runs
    .filter((run) => run.layers === layers && run.seed === seed)
    .flatMap(({ attention, curve, layerNames }) =>
      curve.flatMap(({ from, to, layerGradVar }) =>
        layerGradVar.map((value, at) => ({ attention, from, to, layer: layerNames[at] ?? String(at), value })),
      ),
    );
  const drawn = positive(rows, 'value');
  if (drawn.length === 0) return null;
  const caption = `Gradient variance of each layer over the steps, at ${layers} layers, of seed ${seed}.`;
  return plot('grad-var-by-layer-over-time.svg', caption, {
    data: { values: drawn },
    facet: { column: { field: 'attention', title: null, sort: attentions(results) } },
    spec: {
      ...{ width: 200, height: 200 },
      mark: { type: 'rect' },
      encoding: {
        x: { field: 'from', type: 'quantitative', title: 'step', scale: { nice: false } },
        x2: { field: 'to' },
        y: { field: 'layer', type: 'ordinal', title: null, sort: [...new Set(drawn.map(({ layer }) => layer))] },
        color: {
          ...{ field: 'value', type: 'quantitative', scale: { type: 'log', scheme: 'viridis' } },
          legend: { title: 'gradient variance', orient: 'right', format: '~e' },
        },
      },
    },
  });
}

function learningRates({ sweep, ...results }: Results): Plot | null {
  if (sweep.length === 0) return null;
  const rows = sweep.map((cell) => ({
    ...{ attention: cell.attention, lr: cell.lr, tevMax: cell.tevMax.mean },
    perplexity: cell.evalPerplexity.mean,
    end: cell.diverged === 0 ? 'finished' : cell.diverged === cell.seeds.length ? 'diverged' : 'some diverged',
  }));
  const axis = { values: [...new Set(rows.map(({ lr }) => lr))], format: '~e' };
  const rate = { field: 'lr', type: 'quantitative', title: 'learning rate', axis };
  const x = { ...rate, scale: { type: 'log', nice: false, padding: 14 } };
  const ends = { domain: ['finished', 'some diverged', 'diverged'], range: ['circle', 'diamond', 'cross'] };
  const encoding = { x, color: color(results), shape: { field: 'end', type: 'nominal', scale: ends } };
  const mark = { type: 'point', filled: true, size: 70 };
  const panel = (field: 'perplexity' | 'tevMax', y: Mark, further: Mark[] = []) => ({
    ...{ width: 260, height: 210 },
    data: { values: rows },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1.5 },
        encoding: { x, y: { ...y, field, type: 'quantitative' }, color: color(results) },
      },
      { mark, encoding: { ...encoding, y: { ...y, field, type: 'quantitative' } } },
      ...further,
    ],
  });
  const atTheTop = {
    transform: [{ filter: "datum.end === 'diverged'" }],
    mark,
    encoding: { ...encoding, y: { value: 8 } },
  };
  const hconcat = [
    panel('perplexity', { title: 'held-out perplexity', scale: { zero: false, padding: 24 } }, [atTheTop]),
    panel('tevMax', { title: 'largest tevMean of the run', scale: { type: 'log', nice: false, padding: 12 } }),
  ];
  const caption = `Learning rates at ${sweep[0]?.layers} layers: final held-out perplexity, with a cross at the top where all runs diverged, and the largest TEV of a run.`;
  return plot('learning-rates.svg', caption, { hconcat });
}
