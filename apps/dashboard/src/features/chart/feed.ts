import type { StepArray, StepBatch, StepEvent } from '@evenkeel/protocol';
import { extendBounds, NO_STEPS, type StepBounds } from '@evenkeel/stability';
import type { ArrayChart, Chart, SeriesKey } from '../../trpc/client.tsx';
import { cutArray, cutChart, extendArray, extendChart } from './chart-columns.ts';
import { WHERE_REPORTED } from './metrics.ts';
import { mergeSteps } from './tail.ts';
import type { StepRange } from './view-params.ts';
import { STEP_AXIS, type XAxis, type XUnit, xAxisOf } from './x-axis.ts';

/** Columns that a chart asks the server for: about one for each pixel that it has on a desktop. */
export const CHART_COLUMNS = 600;
export const ARRAY_COLUMNS = 300;

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
  /** When the run began, in milliseconds since 1970. */
  startedAt: number;
}

/** What there is to draw. */
export interface Picture {
  chart: Chart;
  arrays: ReadonlyMap<StepArray, ArrayChart>;
}

/**
 * One run's steps as its page draws them: a chart read from the server, and after its last step those that streamed
 * in. What streams in for steps within the chart has it read again. Charts listen to it directly, so that a new step draws canvases and renders no component.
 */
export class StepFeed {
  /** Asks for the charts to be read again; set by whoever reads them. */
  readAgain: () => void = () => {};
  /** Is given the series that stream in for the first time and are not in the chart; set likewise. */
  foundSeries: (keys: readonly SeriesKey[]) => void = () => {};
  private readonly schedule: Options['schedule'];
  private readonly listeners = new Set<() => void>();
  private attempt: number;
  private range: StepRange = {};
  /** A step beyond the last that the x axis reaches to. */
  private ahead = Number.NEGATIVE_INFINITY;
  private unit: XUnit = 'step';
  /** Until it is read. */
  private isNewView = true;
  private readonly startedAt: number;
  private readonly series = new Set<string>();
  private chart: Chart | null = null;
  private readonly arrays = new Map<StepArray, ArrayChart>();
  /** Of which values were seen, in whatever range. */
  private readonly reportedArrays = new Set<StepArray>();
  private tail: StepEvent[] = [];
  /** Of the newest attempt as its steps came, which the tail in its order does not show: the server would draw the same. */
  private bounds: StepBounds = NO_STEPS;
  /** The lowest step of which a part came since the chart was last asked for: what is read may lack that part. */
  private lowestPart = Number.POSITIVE_INFINITY;
  private drawn: Picture | null = null;
  private drawnAxis: XAxis | null = null;
  private scheduled = false;
  private allAtOnce = false;
  private readonly waiting = new Set<() => void>();

  constructor({ attempt, schedule, startedAt }: Options) {
    this.attempt = attempt;
    this.schedule = schedule;
    this.startedAt = startedAt;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      this.waiting.delete(listener);
    };
  }

  show(range: StepRange, unit: XUnit = 'step'): void {
    this.range = range;
    this.unit = unit;
    this.isNewView = true;
    this.changed('at once');
  }

  /** Makes room ahead of the newest step, as for what is forecast there. */
  lookAhead(step: number): void {
    if (this.ahead === step) return;
    this.ahead = step;
    this.changed('at once');
  }

  /** The chart is asked for: the answer holds all that came until now. */
  asked(): void {
    this.lowestPart = Number.POSITIVE_INFINITY;
  }

  load(chart: Chart): void {
    this.chart = chart;
    for (const key in chart.series) this.series.add(key);
    const last = chart.lastStep ?? Number.NEGATIVE_INFINITY;
    this.tail = this.tail.filter(({ step }) => step > last);
    const outliers = this.bounds.outliers.filter((step) => step > last);
    const read = { ...this.bounds, first: chart.firstStep, last: chart.lastStep, outliers };
    this.bounds = extendBounds(read, numbersOf(this.tail));
    if (this.lowestPart <= last) this.readAgain();
    this.changed(this.isNewView ? 'at once' : 'in turn');
    this.isNewView = false;
  }

  loadArray(array: StepArray, chart: ArrayChart): void {
    this.arrays.set(array, chart);
    this.changed('in turn');
  }

  receive({ attempt, steps }: StepBatch): void {
    if (attempt < this.attempt) return; // of a life that a later attempt has superseded
    if (attempt > this.attempt) this.rewind(attempt, steps[0]?.step ?? 0);
    this.noteSeries(steps);
    this.noteParts(steps);
    this.tail = mergeSteps(this.tail, steps);
    this.bounds = extendBounds(this.bounds, numbersOf(steps));
    if (this.tail.length > TAIL_LIMIT) this.readAgain();
    if (this.tail.length > TAIL_HARD_LIMIT) this.tail = this.tail.slice(-TAIL_LIMIT);
    this.changed('in turn');
  }

  /** Null until it was read. */
  picture(): Picture | null {
    if (!this.chart) return null;
    if (this.drawn) return this.drawn;
    const { outliers } = this.bounds;
    const tail = outliers.length === 0 ? this.tail : this.tail.filter(({ step }) => !outliers.includes(step));
    this.drawn = { chart: extendChart(this.chart, tail, this.range), arrays: this.extendedArrays(this.chart, tail) };
    return this.drawn;
  }

  private extendedArrays({ lastStep }: Chart, tail: readonly StepEvent[]): Map<StepArray, ArrayChart> {
    const extended = [...this.arrays].map(([array, chart]): [StepArray, ArrayChart] => {
      return [array, extendArray(chart, array, tail, this.range, lastStep ?? Number.NEGATIVE_INFINITY)];
    });
    return new Map(extended);
  }

  /** Whether the run reports an array: until it is read it may, and what was seen once is not forgotten with the range. */
  mayHave(array: StepArray): boolean {
    const chart = this.picture()?.arrays.get(array);
    if (chart && chart.steps.length > 0) this.reportedArrays.add(array);
    return !chart || this.reportedArrays.has(array);
  }

  xAxis(): XAxis {
    const chart = this.picture()?.chart;
    if (!chart) return STEP_AXIS;
    this.drawnAxis ??= xAxisOf(chart, this.unit, this.startedAt);
    return this.drawnAxis;
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
    this.bounds = NO_STEPS;
    this.tail = this.tail.filter(({ step }) => step < first);
    if (!this.chart || (this.chart.lastStep ?? Number.NEGATIVE_INFINITY) < first) return;
    this.chart = cutChart(this.chart, first);
    for (const [array, chart] of this.arrays) this.arrays.set(array, cutArray(chart, first));
    this.readAgain(); // the column that the cut goes through still holds superseded steps
  }

  /**
   * Parts of steps that are known already, such as an evaluation logged after its step. In the tail they are merged; a
   * column of the chart has no place for them, so it is read again; as it is where the chart ends at a wrong number.
   */
  private noteParts(steps: readonly StepEvent[]): void {
    const lowest = steps.reduce((min, { step }) => Math.min(min, step), Number.POSITIVE_INFINITY);
    if (lowest > (this.bounds.last ?? Number.NEGATIVE_INFINITY)) return;
    this.lowestPart = Math.min(this.lowestPart, lowest);
    if (lowest <= (this.chart?.lastStep ?? Number.NEGATIVE_INFINITY)) this.readAgain();
  }

  private noteSeries(steps: readonly StepEvent[]): void {
    const found: SeriesKey[] = [];
    const note = (key: SeriesKey) => {
      if (this.series.has(key)) return;
      this.series.add(key);
      found.push(key);
    };
    for (const step of steps) {
      for (const name of WHERE_REPORTED) if (step[name] != null) note(name);
      for (const name in step.custom) note(`custom:${name}`);
    }
    if (found.length > 0) this.foundSeries(found);
  }

  /** A new view is drawn everywhere at once; new steps one chart a frame in turn, so that no frame is long. */
  private changed(how: 'at once' | 'in turn'): void {
    this.drawn = null;
    this.drawnAxis = null;
    if (this.listeners.size === 0) return;
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

function numbersOf(steps: readonly StepEvent[]): number[] {
  return steps.map(({ step }) => step);
}
