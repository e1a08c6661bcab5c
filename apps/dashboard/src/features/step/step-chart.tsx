'use client';

import { DEFAULT_RULES } from '@evenkeel/stability';
import { type KeyboardEvent, useId } from 'react';
import type uPlot from 'uplot';
import { formatCount } from '../../format.ts';
import classes from './charts.module.css';
import type { StepFeed } from './feed.ts';
import { columnAfter, rangeAfter } from './keyboard.ts';
import { placeCursors } from './plot.ts';
import type { ShownForecast } from './use-forecast.ts';
import { type ChartProps, useStepPlot } from './use-step-plot.ts';

export function StepChart({ onScale, ...props }: ChartProps & { onScale: (scale: 'log' | 'linear') => void }) {
  const { view, feed, forecast, onZoom } = props;
  const { target, readout, mounted, log } = useStepPlot(props);
  const title = useId();
  return (
    <section className={classes.chart} aria-labelledby={title}>
      <header className={classes.title}>
        <h2 id={title} title={view.title}>
          {view.title}
          {view.unit && <small>{view.unit}</small>}
          {view.beside && <small className={classes.beside}>{view.beside}</small>}
        </h2>
        <output ref={readout} aria-live="off" className={classes.readout} />
        {forecast && <Risk forecast={forecast} />}
        <button
          type="button"
          className={classes.flip}
          aria-pressed={log}
          onClick={() => onScale(log ? 'linear' : 'log')}
          title="Logarithmic axis"
        >
          log
        </button>
      </header>
      <div
        ref={target}
        className={classes.plot}
        role="slider"
        aria-label={`${view.title} by step`}
        aria-valuemin={0}
        aria-valuemax={0}
        aria-valuenow={0}
        tabIndex={0}
        onKeyDown={(event) => mounted.current && steer(event, mounted.current.plot, feed, onZoom)}
      />
    </section>
  );
}

/** Below it `tev-growth` is calm. */
const NOTICEABLE_RISK = DEFAULT_RULES['tev-growth'].calm;

/** The risk in words, beside its picture. */
function Risk({ forecast: { points, ahead } }: { forecast: ShownForecast }) {
  const risk = points.at(-1)?.risk;
  if (risk === undefined) return null;
  const where = ahead ? `, divergence expected around step ${formatCount(ahead.step)}` : '';
  return (
    <span
      className={classes.risk}
      data-high={risk >= NOTICEABLE_RISK || undefined}
      title={`risk of divergence within 100 steps: ${risk}${where}`}
    >
      risk {Math.round(100 * risk)} %
    </span>
  );
}

/** Arrow keys, page keys, Home and End move the crosshair; +, − and 0 zoom around it. */
function steer(event: KeyboardEvent, plot: uPlot, feed: StepFeed, onZoom: ChartProps['onZoom']): void {
  const steps = plot.data[0];
  const at = plot.cursor.idx ?? steps.length - 1;
  const column = columnAfter(event.key, at, steps.length);
  const range = rangeAfter(event.key, { view: feed.view(), run: feed.runSteps(), centre: steps[at] ?? 0 });
  if (column !== null) placeCursors(steps[column] ?? 0);
  if (range !== undefined) onZoom(range);
  if (column !== null || range !== undefined) event.preventDefault();
}
