'use client';

import { type KeyboardEvent, useEffect, useEffectEvent, useId, useMemo, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { formatCount, formatNumber } from '../../format.ts';
import charts from '../step/charts.module.css';
import { columnAfter, rangeAfter } from '../step/keyboard.ts';
import type { MetricView } from '../step/metrics.ts';
import { onColoursChange } from '../step/palette.ts';
import { createPlot, follow, placeCursors } from '../step/plot.ts';
import type { StepRange } from '../step/view-params.ts';
import { whileInView } from '../step/while-in-view.ts';
import type { XUnit } from '../step/x-axis.ts';
import { axisOf } from './align.ts';
import {
  bandedOf,
  cssColour,
  dataOf,
  drawBands,
  drawLost,
  drawNumbers,
  emphasise,
  extentOf,
  seriesOf,
} from './compare-plot.ts';
import { isWide, type Line, readAt } from './lines.ts';
import { type Pointing, Readout } from './readout.tsx';

interface Props extends Pointing {
  view: MetricView;
  /** Of every run, also of those that are hidden. */
  lines: readonly Line[];
  align: XUnit;
  /** First and last place of the x axis, and of all runs. */
  shown: readonly [number, number];
  whole: readonly [number, number];
  /** The axis somebody asked for. */
  scale: 'log' | 'linear' | null;
  onScale: (scale: 'log' | 'linear') => void;
  /** Places to show; null for all. */
  onZoom: (range: StepRange | null) => void;
}

/** One metric of all runs. */
export function CompareChart(props: Props) {
  const { view, lines, hidden, align, shown, whole, emphasised, onScale, onZoom } = props;
  const drawn = useMemo(() => lines.filter(({ id }) => !hidden.has(id)), [lines, hidden]);
  const scale = props.scale ?? view.scale;
  const log = scale === 'log' || (scale === 'auto' && isWide(drawn));
  const title = useId();
  const [place, setPlace] = useState<number | null>(null);
  const { target, plot } = usePlot({ drawn, log, align, shown, emphasised, onZoom, onPlace: setPlace });
  const read = (line: Line) => wordsAt(line, place, shown[1]);
  const where = `${place === null ? 'latest' : wordsOf(align, place)}${meansOf(drawn)}`;
  return (
    <section className={charts.chart} aria-labelledby={title}>
      <header className={charts.title}>
        <h2 id={title} title={view.title}>
          {view.title}
          {view.unit && <small>{view.unit}</small>}
        </h2>
        <span className={charts.readout}>{where}</span>
        <button
          type="button"
          className={charts.flip}
          aria-pressed={log}
          onClick={() => onScale(log ? 'linear' : 'log')}
          title="Logarithmic axis"
        >
          log
        </button>
      </header>
      <div
        ref={target}
        className={charts.plot}
        role="slider"
        aria-label={`${view.title} of all runs`}
        aria-valuemin={shown[0]}
        aria-valuemax={shown[1]}
        aria-valuenow={place ?? shown[1]}
        aria-valuetext={`${where}: ${drawn.map((line) => `${line.name} ${read(line)}`).join(', ')}`}
        tabIndex={0}
        onKeyDown={(event) => plot.current && steer(event, plot.current, { shown, whole, onZoom })}
      />
      <Readout {...props} values={lines.map(read)} />
    </section>
  );
}

/** Of how many steps a value is the mean, where it is not of one alone. */
function meansOf(lines: readonly Line[]): string {
  const most = Math.max(1, ...lines.map(({ columnSteps }) => columnSteps));
  return most > 1 ? ` · means of ${formatCount(most)} steps${lines.length > 1 ? ' at most' : ''}` : '';
}

function wordsAt(line: Line, place: number | null, end: number): string {
  const { value, isLost } = readAt(line, place, end);
  return isLost ? 'not finite' : formatNumber(value, 4);
}

/** A place for people. */
export function wordsOf(align: XUnit, place: number): string {
  return align === 'step' ? `step ${formatCount(place)}` : (axisOf(align).words(place) ?? '');
}

interface PlotOptions {
  drawn: readonly Line[];
  log: boolean;
  align: XUnit;
  shown: readonly [number, number];
  emphasised: string | null;
  onZoom: (range: StepRange | null) => void;
  onPlace: (place: number | null) => void;
}

/** Draws into `target` while it is near the window. */
function usePlot({ drawn, log, align, shown, emphasised, onZoom, onPlace }: PlotOptions) {
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const view = useEffectEvent((): [number, number] => [shown[0], shown[1]]);
  const reach = useEffectEvent(() => extentOf(drawn, shown, log));
  const zoom = useEffectEvent(onZoom);
  const drawUnder = useEffectEvent((on: uPlot) => drawBands(on, bandedOf(drawn, emphasised), log));
  const drawOver = useEffectEvent((on: uPlot) => {
    drawLost(on, emphasised === null ? drawn : drawn.filter(({ id }) => id === emphasised));
    drawNumbers(on, drawn, emphasised);
  });
  const fill = useEffectEvent(() => {
    plot.current?.setData(dataOf(drawn));
    if (plot.current) emphasise(plot.current, drawn, emphasised);
  });
  const lookNow = useEffectEvent(() => seriesOf(drawn));
  const hover = useEffectEvent((column: number | null, on: uPlot) => {
    onPlace(column === null ? null : (on.data[0][column] ?? null));
  });
  const kind = drawn.map(({ id, look, smoothed }) => `${id} ${look.colour} ${look.dash} ${smoothed !== null}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: `kind` tells which series there are
  useEffect(() => {
    const place = target.current;
    if (!place) return;
    return whileInView(place, () => {
      const look = { log, unit: align, series: lookNow(), bands: [], points: POINTS };
      const created = createPlot(place, look, {
        view,
        xAxis: () => axisOf(align),
        reach,
        drawUnder,
        drawOver,
        hover,
        zoom: (from, to) => zoom({ from, to }),
        reset: () => zoom(null),
      });
      plot.current = created;
      fill();
      const stops = [onColoursChange(() => created.redraw()), follow(place, created)];
      return () => {
        for (const stop of stops) stop();
        created.destroy();
        plot.current = null;
      };
    });
  }, [kind, log, align]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn again when they change, read where they are drawn
  useEffect(() => fill(), [drawn, shown[0], shown[1]]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: likewise
  useEffect(() => {
    if (plot.current) emphasise(plot.current, drawn, emphasised);
  }, [emphasised]);
  return { target, plot };
}

const POINTS: uPlot.Cursor.Points = {
  size: 6,
  fill: (plot, at) => {
    const stroke = plot.series[at]?.stroke;
    return typeof stroke === 'function' ? String(stroke(plot, at)) : cssColour('--ek-text');
  },
};

interface Steered {
  shown: readonly [number, number];
  whole: readonly [number, number];
  onZoom: (range: StepRange | null) => void;
}

/** The keys of a run's charts: those that move the crosshair, and + − 0. */
function steer(event: KeyboardEvent, plot: uPlot, { shown, whole, onZoom }: Steered): void {
  const places = plot.data[0];
  const at = plot.cursor.idx ?? places.length - 1;
  const column = columnAfter(event.key, at, places.length);
  const range = rangeAfter(event.key, { view: shown, run: whole, centre: places[at] ?? 0 });
  if (column !== null) placeCursors(places[column] ?? 0);
  if (range !== undefined) onZoom(range);
  if (column !== null || range !== undefined) event.preventDefault();
}
