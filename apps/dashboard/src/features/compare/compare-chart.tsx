'use client';

import { useId, useMemo, useState } from 'react';
import { formatCount, formatNumber } from '../../components/format.ts';
import { ChartHeading } from '../chart/chart-heading.tsx';
import charts from '../chart/charts.module.css';
import type { MetricView } from '../chart/metrics.ts';
import { steer } from '../chart/steer.ts';
import type { StepRange } from '../chart/view-params.ts';
import type { XUnit } from '../chart/x-axis.ts';
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
  const { view, lines, hidden, align, shown, whole, emphasized, onScale, onZoom } = props;
  const drawn = useMemo(() => lines.filter(({ id }) => !hidden.has(id)), [lines, hidden]);
  const scale = props.scale ?? view.scale;
  const log = scale === 'log' || (scale === 'auto' && isWide(drawn));
  const title = useId();
  const [place, setPlace] = useState<number | null>(null);
  const { target, plot } = usePlot({ drawn, log, align, shown, emphasized, onZoom, onPlace: setPlace });
  const read = (line: Line) => wordsAt(line, place, shown[1]);
  const where = `${place === null ? 'latest' : wordsOf(align, place)}${meansOf(drawn)}`;
  return (
    <section className={charts.chart} aria-labelledby={title}>
      <ChartHeading id={title} title={view.title} unit={view.unit} log={log} onScale={onScale}>
        <span className={charts.readout}>{where}</span>
      </ChartHeading>
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
  const max = Math.max(1, ...lines.map(({ columnSteps }) => columnSteps));
  return max > 1 ? ` · means of ${formatCount(max)} steps${lines.length > 1 ? ' at most' : ''}` : '';
}

function wordsAt(line: Line, place: number | null, end: number): string {
  const { value, isLost } = readAt(line, place, end);
  return isLost ? 'not finite' : formatNumber(value, 4);
}

/** A place for people. */
export function wordsOf(align: XUnit, place: number): string {
  return align === 'step' ? `step ${formatCount(place)}` : (axisOf(align).words(place) ?? '');
}
