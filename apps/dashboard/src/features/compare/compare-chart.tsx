'use client';

import { type KeyboardEvent, useId, useMemo, useState } from 'react';
import type uPlot from 'uplot';
import { formatCount, formatNumber } from '../../format.ts';
import charts from '../step/charts.module.css';
import { columnAfter, rangeAfter } from '../step/keyboard.ts';
import type { MetricView } from '../step/metrics.ts';
import { placeCursors } from '../step/plot.ts';
import type { StepRange } from '../step/view-params.ts';
import type { XUnit } from '../step/x-axis.ts';
import { axisOf } from './align.ts';
import { isWide, type Line, readAt } from './lines.ts';
import { type Pointing, Readout } from './readout.tsx';
import { usePlot } from './use-plot.ts';

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
      <Heading id={title} view={view} where={where} log={log} onScale={onScale} />
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

interface HeadingProps {
  id: string;
  view: MetricView;
  where: string;
  log: boolean;
  onScale: (scale: 'log' | 'linear') => void;
}

function Heading({ id, view, where, log, onScale }: HeadingProps) {
  return (
    <header className={charts.title}>
      <h2 id={id} title={view.title}>
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
