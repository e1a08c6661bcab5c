'use client';

import type { Alert } from '@evenkeel/protocol';
import { DEFAULT_RULES } from '@evenkeel/stability';
import { type KeyboardEvent, useEffect, useEffectEvent, useId, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { formatCount } from '../../format.ts';
import type { SeriesKey } from '../../trpc/client.tsx';
import type { ChartView, Drawn } from './chart-view.ts';
import classes from './charts.module.css';
import { moveCrosshair } from './crosshair.ts';
import type { StepFeed } from './feed.ts';
import { drawForecast } from './forecast-draw.ts';
import { drawAttempts, drawGhosts, reachOf } from './ghost-draw.ts';
import { columnAfter, rangeAfter } from './keyboard.ts';
import { drawAlerts, drawNonFinite, drawShade } from './markers.ts';
import { onColoursChange } from './palette.ts';
import { createPlot, follow, placeCursors } from './plot.ts';
import type { AttemptSpan } from './superseded.ts';
import type { ShownForecast } from './use-forecast.ts';
import type { Ghost } from './use-ghosts.ts';
import type { StepRange } from './view-params.ts';
import { whileInView } from './while-in-view.ts';
import type { XUnit } from './x-axis.ts';

export interface ChartProps {
  view: ChartView;
  feed: StepFeed;
  unit?: XUnit;
  /** The axis somebody asked for. */
  scale: 'log' | 'linear' | null;
  alerts: readonly Alert[];
  /** Drawn below the curve of the metric that it is read from. */
  forecast?: ShownForecast | null;
  attempts?: readonly AttemptSpan[];
  ghosts?: readonly Ghost[];
  /** First and last step of a stretch to mark, as what a rule looked at. */
  shaded?: readonly [number, number];
  onScale: (scale: 'log' | 'linear') => void;
  /** Steps to show; null for the whole run. */
  onZoom: (range: StepRange | null) => void;
}

const NONE: readonly never[] = [];

export function StepChart(props: ChartProps) {
  const { view, feed, unit = 'step', scale, alerts, forecast = null, shaded, onScale, onZoom } = props;
  const { attempts = NONE, ghosts = NONE } = props;
  const [wide, setWide] = useState(false);
  const chosen = scale ?? view.scale;
  const log = chosen === 'log' || (chosen === 'auto' && wide);
  const target = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLOutputElement>(null);
  const plot = useRef<uPlot>(null);
  const data = useRef<Drawn>(null);
  const drawAgain = useRef(() => {});
  const title = useId();
  const key = view.key as SeriesKey;

  const say = useEffectEvent((column: number | null) => {
    moveCrosshair(column === null ? null : (data.current?.steps[column] ?? null));
    const words = describe(data.current, column, feed);
    if (readout.current) readout.current.textContent = words;
    if (target.current) tellSlider(target.current, data.current?.steps ?? [], column, words);
  });
  const drawUnder = useEffectEvent((drawn: uPlot) => {
    if (shaded) drawShade(drawn, shaded);
    if (forecast) drawForecast(drawn, forecast.points, forecast.lastStep, forecast.ahead);
    drawAttempts(drawn, attempts, key === 'loss');
    drawGhosts(drawn, ghosts, key);
    drawAlerts(drawn, alerts, key);
  });
  const reach = useEffectEvent(() => reachOf(ghosts, key, log));
  const zoom = useEffectEvent(onZoom);

  useEffect(() => {
    const place = target.current;
    if (!place) return;
    return whileInView(place, () => {
      const created = createPlot(
        place,
        { log, unit, series: view.series, bands: view.bands },
        {
          view: () => feed.view(),
          xAxis: () => feed.xAxis(),
          reach,
          drawUnder,
          drawOver: (drawn) => data.current && drawNonFinite(drawn, data.current),
          hover: say,
          zoom: (from, to) => zoom({ from, to }),
          reset: () => zoom(null),
        },
      );
      plot.current = created;
      const update = () => {
        const picture = feed.picture();
        if (!picture) return;
        data.current = view.read(picture);
        setWide(data.current.isWide);
        created.setData([data.current.steps, ...data.current.lines]);
        say(created.cursor.idx ?? null);
      };
      update();
      drawAgain.current = update;
      const stops = [feed.subscribe(update), onColoursChange(() => created.redraw()), follow(place, created)];
      return () => {
        for (const stop of stops) stop();
        created.destroy();
        plot.current = null;
        drawAgain.current = () => {};
      };
    });
  }, [feed, log, unit, view]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn again when they change, read where they are drawn
  useEffect(() => drawAgain.current(), [ghosts]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: likewise
  useEffect(() => plot.current?.redraw(false), [alerts, attempts, forecast?.points, forecast?.ahead?.step]);

  return (
    <section className={classes.chart} aria-labelledby={title}>
      <header className={classes.title}>
        <h2 id={title} title={view.title}>
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

/** What stands at a column, and where that is; without one, the latest value. */
function describe(data: Drawn | null, column: number | null, feed: StepFeed): string {
  if (!data || data.steps.length === 0) return 'no values yet';
  if (column === null) return data.words(null);
  const step = data.steps[column] ?? 0;
  const place = `${feed.columnSteps() > 1 ? 'from step' : 'step'} ${formatCount(step)}`;
  return [place, feed.xAxis().words(step), data.words(column)].filter((words) => words !== null).join(' · ');
}
