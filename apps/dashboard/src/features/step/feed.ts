import type { StepBatch, StepEvent } from '@evenkeel/protocol';
import type { Chart, LayerChart } from '../../trpc/client.tsx';
import { cutChart, cutLayers, extendChart, extendLayers } from './chart-columns.ts';
import { mergeSteps } from './tail.ts';
import type { StepRange } from './view-params.ts';

/** Columns that a chart asks the server for: about one for each pixel that it has on a desktop. */
export const CHART_COLUMNS = 600;
export const LAYER_COLUMNS = 300;

/** Steps that may stream in before the chart is read again, so that a tab open for days holds no more. */
export const TAIL_LIMIT = 2 * CHART_COLUMNS;
/** Kept when even reading fails: past this the oldest go. */
const TAIL_HARD_LIMIT = 4 * TAIL_LIMIT;

/** How a page's feed draws. */
export function nextFrame(draw: () => void): void {
  requestAnimationFrame(draw);
}

interface Options {
  /** The newest attempt known when the page was read. */
  attempt: number;
  /** Runs `draw` soon, such as with the next animation frame. */
  schedule: (draw: () => void) => void;
}

/**
 * One run's steps as its page draws them: a chart read from the server, and after its last step those that streamed
 * in. Charts listen to it directly, so that a new step draws canvases and renders no component.
 */
export class StepFeed {
  /** Asks for the chart to be read again; set by whoever reads it. */
  readAgain: () => void = () => {};
  private readonly schedule: Options['schedule'];
  private readonly listeners = new Set<() => void>();
  private attempt: number;
  private range: StepRange = {};
  /** A step beyond the last that the x axis reaches to. */
  private ahead = 0;
  private chart: Chart | null = null;
  private layerChart: LayerChart | null = null;
  private tail: StepEvent[] = [];
  private drawn: { chart: Chart; layers: LayerChart | null } | null = null;
  private scheduled = false;
  private allAtOnce = false;
  private readonly waiting = new Set<() => void>();

  constructor({ attempt, schedule }: Options) {
    this.attempt = attempt;
    this.schedule = schedule;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      this.waiting.delete(listener);
    };
  }

  show(range: StepRange): void {
    this.range = range;
    this.changed('at once');
  }

  /** Makes room ahead of the newest step, as for what is forecast there. */
  lookAhead(step: number | null): void {
    if (this.ahead === (step ?? 0)) return;
    this.ahead = step ?? 0;
    this.changed('at once');
  }

  load(chart: Chart): void {
    this.chart = chart;
    const last = chart.lastStep ?? -1;
    this.tail = this.tail.filter(({ step }) => step > last);
    this.changed('at once');
  }

  loadLayers(layers: LayerChart): void {
    this.layerChart = layers;
    this.changed('at once');
  }

  receive({ attempt, steps }: StepBatch): void {
    if (attempt < this.attempt) return; // of a life that a later attempt has superseded
    if (attempt > this.attempt) this.rewind(attempt, steps[0]?.step ?? 0);
    this.tail = mergeSteps(this.tail, steps);
    if (this.tail.length > TAIL_LIMIT) this.readAgain();
    if (this.tail.length > TAIL_HARD_LIMIT) this.tail = this.tail.slice(-TAIL_LIMIT);
    this.changed('in turn');
  }

  /** The chart to draw; null until it was read. */
  picture(): { chart: Chart; layers: LayerChart | null } | null {
    if (!this.chart) return null;
    this.drawn ??= {
      chart: extendChart(this.chart, this.tail, this.range),
      layers: this.layerChart && extendLayers(this.layerChart, this.tail, this.range, this.chart.lastStep ?? -1),
    };
    return this.drawn;
  }

  columnSteps(): number {
    return this.chart?.columnSteps ?? 1;
  }

  /** First and last step of the run, as far as known. */
  runSteps(): [number, number] {
    const chart = this.picture()?.chart;
    return [chart?.firstStep ?? 0, chart?.lastStep ?? 0];
  }

  /** First and last step of the x axis. */
  view(): [number, number] {
    const [first, last] = this.runSteps();
    const from = this.range.from ?? first;
    const to = this.range.to ?? Math.max(last, this.ahead);
    return to > from ? [from, to] : [from, from + 1];
  }

  private rewind(attempt: number, first: number): void {
    this.attempt = attempt;
    this.tail = this.tail.filter(({ step }) => step < first);
    if (!this.chart || (this.chart.lastStep ?? -1) < first) return;
    this.chart = cutChart(this.chart, first);
    this.layerChart &&= cutLayers(this.layerChart, first);
    this.readAgain(); // the column that the cut goes through still holds superseded steps
  }

  /** A new view is drawn everywhere at once; new steps one chart a frame in turn, so that no frame is long. */
  private changed(how: 'at once' | 'in turn'): void {
    this.drawn = null;
    for (const listener of this.listeners) this.waiting.add(listener);
    this.allAtOnce ||= how === 'at once';
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(this.draw);
  }

  private readonly draw = (): void => {
    const turn = this.allAtOnce ? [...this.waiting] : [...this.waiting].slice(0, 1);
    this.allAtOnce = false;
    for (const listener of turn) {
      this.waiting.delete(listener);
      listener();
    }
    this.scheduled = this.waiting.size > 0;
    if (this.scheduled) this.schedule(this.draw);
  };
}
