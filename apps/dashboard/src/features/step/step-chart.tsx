'use client';

import type { Alert } from '@evenkeel/protocol';
import { DEFAULT_RULES } from '@evenkeel/stability';
import { type KeyboardEvent, useEffect, useEffectEvent, useId, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { formatCount, formatNumber } from '../../format.ts';
import classes from './charts.module.css';
import { moveCrosshair } from './crosshair.ts';
import type { StepFeed } from './feed.ts';
import { drawForecast } from './forecast-draw.ts';
import { columnAfter, rangeAfter } from './keyboard.ts';
import { drawAlerts, drawNonFinite, drawShade } from './markers.ts';
import type { MetricView } from './metrics.ts';
import { onColoursChange } from './palette.ts';
import { createPlot, placeCursors, toAligned } from './plot.ts';
import { type PlotData, plotData, spansDecades } from './plot-data.ts';
import type { ShownForecast } from './use-forecast.ts';
import type { StepRange } from './view-params.ts';

export interface ChartProps {
  view: MetricView;
  feed: StepFeed;
  /** The axis somebody asked for. */
  scale: 'log' | 'linear' | null;
  alerts: readonly Alert[];
  /** Drawn below the curve of the metric that it is read from. */
  forecast: ShownForecast | null;
  /** First and last step of a stretch to mark, as what a rule looked at. */
  shaded?: readonly [number, number];
  onScale: (scale: 'log' | 'linear') => void;
  /** Steps to show; null for the whole run. */
  onZoom: (range: StepRange | null) => void;
}

export function StepChart({ view, feed, scale, alerts, forecast, shaded, onScale, onZoom }: ChartProps) {
  const [wide, setWide] = useState(false);
  const chosen = scale ?? view.scale;
  const log = chosen === 'log' || (chosen === 'auto' && wide);
  const target = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLOutputElement>(null);
  const plot = useRef<uPlot>(null);
  const data = useRef<PlotData>(null);
  const title = useId();

  const say = useEffectEvent((column: number | null) => {
    moveCrosshair(column === null ? null : (data.current?.steps[column] ?? null));
    const words = describe(data.current, column, feed.columnSteps());
    if (readout.current) readout.current.textContent = words;
    if (target.current) tellSlider(target.current, data.current?.steps ?? [], column, words);
  });
  const drawUnder = useEffectEvent((drawn: uPlot) => {
    if (shaded) drawShade(drawn, shaded);
    if (forecast) drawForecast(drawn, forecast.points, forecast.lastStep, forecast.ahead);
    drawAlerts(drawn, alerts, view.metric);
  });
  const zoom = useEffectEvent(onZoom);

  useEffect(() => {
    if (!target.current) return;
    const created = createPlot(target.current, log, {
      view: () => feed.view(),
      drawUnder,
      drawOver: (drawn) => data.current && drawNonFinite(drawn, data.current),
      hover: say,
      zoom: (from, to) => zoom({ from, to }),
      reset: () => zoom(null),
    });
    plot.current = created;
    const update = () => {
      const picture = feed.picture();
      if (!picture) return;
      data.current = plotData(picture.chart, view);
      setWide(spansDecades(data.current));
      created.setData(toAligned(data.current));
      say(created.cursor.idx ?? null);
    };
    update();
    const stops = [feed.subscribe(update), onColoursChange(() => created.redraw()), follow(target.current, created)];
    return () => {
      for (const stop of stops) stop();
      created.destroy();
    };
  }, [feed, log, view]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn again when they change, read where they are drawn
  useEffect(() => plot.current?.redraw(false), [alerts, forecast?.points, forecast?.ahead?.step]);

  return (
    <section className={classes.chart} aria-labelledby={title}>
      <header className={classes.title}>
        <h2 id={title}>
          {view.title}
          {view.unit && <small>{view.unit}</small>}
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
        onKeyDown={(event) => plot.current && steer(event, plot.current, feed, onZoom)}
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

/** To a screen reader a chart is a slider over its steps, moved with the arrow keys. Without a column, at the newest. */
function tellSlider(slider: HTMLElement, steps: readonly number[], column: number | null, words: string): void {
  const last = steps.at(-1) ?? 0;
  slider.setAttribute('aria-valuemin', String(steps[0] ?? 0));
  slider.setAttribute('aria-valuemax', String(last));
  slider.setAttribute('aria-valuenow', String(column === null ? last : (steps[column] ?? last)));
  slider.setAttribute('aria-valuetext', words);
}

/** Keeps a plot as large as its place. */
function follow(target: HTMLElement, plot: uPlot): () => void {
  const observer = new ResizeObserver(() => plot.setSize({ width: target.clientWidth, height: target.clientHeight }));
  observer.observe(target);
  return () => observer.disconnect();
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

/** What stands at a column; without one, the latest value. Every digit is in the table below the charts. */
function describe(data: PlotData | null, column: number | null, columnSteps: number): string {
  if (!data || data.steps.length === 0) return 'no values yet';
  const at = column ?? data.steps.length - 1;
  const value = data.mean[at] ?? null;
  if (column === null) return `latest ${columnSteps > 1 ? 'mean ' : ''}${finite(value, formatNumber(value, 4))}`;
  const step = data.steps[at] ?? 0;
  if (columnSteps === 1) return `step ${formatCount(step)} · ${finite(value, formatNumber(value, 6))}`;
  const [low, mean, high] = [data.low[at], value, data.high[at]].map((number) => formatNumber(number, 4));
  const lost = data.nonFinite[at] ? ` · ${data.nonFinite[at]} not finite` : '';
  return `from step ${formatCount(step)} · ${finite(value, `${low} to ${high}, mean ${mean}`)}${lost}`;
}

function finite(value: number | null, text: string): string {
  return value === null ? 'not finite' : text;
}
