'use client';

import type { Alert } from '@evenkeel/protocol';
import type { AttemptSpan } from '@evenkeel/stability';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { formatCount } from '../../components/format.ts';
import type { SeriesKey } from '../../trpc/client.tsx';
import { isPressedFlat, joinExtents } from './axis-range.ts';
import type { ChartView, Drawn } from './chart-view.ts';
import { moveCrosshair } from './crosshair.ts';
import type { StepFeed } from './feed.ts';
import { drawForecast } from './forecast-draw.ts';
import { drawAttempts, drawGhosts, ghostExtent, nameAttempts } from './ghost-draw.ts';
import { useIsHydrating } from './hydrating.ts';
import { drawAlerts, drawNonFinite, drawShade } from './markers.ts';
import { observeVisibility } from './observe-visibility.ts';
import { onColorsChange } from './palette.ts';
import { createPlot, follow, linesAndBands, type PlotHooks, type PlotLook } from './plot.ts';
import { sketchOf } from './sketch.ts';
import type { ShownForecast } from './use-forecast.ts';
import type { Ghost } from './use-ghosts.ts';
import type { StepRange } from './view-params.ts';
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
  /** Whether the server has drawn it. */
  isSketched?: boolean;
  /** Steps to show; null for the whole run. */
  onZoom: (range: StepRange | null) => void;
}

const NONE: readonly never[] = [];

/** Draws a chart into `target` and says in `readout` what stands under the crosshair; new steps render nothing again. */
export function useStepPlot({ view, feed, unit = 'step', scale, onZoom, isSketched = false, ...marks }: ChartProps) {
  const { alerts, forecast = null, attempts = NONE, ghosts = NONE, shaded } = marks;
  const isHydrating = useIsHydrating();
  // What streams in before the page comes to life was not there when the server rendered it.
  const [opened] = useState(() => (isHydrating && !isSketched ? null : readNow(view, feed)));
  const [wide, setWide] = useState(() => isPressedFlat(opened?.extent ?? null));
  const chosen = scale ?? view.scale;
  const log = chosen === 'log' || (chosen === 'auto' && wide);
  const [sketch, setSketch] = useState(() =>
    isHydrating && opened ? sketchOf(view, opened, { log, steps: feed.view(), xAxis: feed.xAxis() }) : null,
  );
  const target = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLOutputElement>(null);
  const mounted = useRef<MountedPlot>(null);
  const key = view.key as SeriesKey;

  const say = useEffectEvent((data: Drawn | null, column: number | null) => {
    moveCrosshair(column === null ? null : (data?.steps[column] ?? null));
    const words = describe(data, column, feed);
    if (readout.current) readout.current.textContent = words;
    if (target.current) describeSlider(target.current, data?.steps ?? [], column, words);
  });
  const drawUnder = useEffectEvent((plot: uPlot) => {
    if (shaded) drawShade(plot, shaded);
    if (forecast) drawForecast(plot, forecast.points, forecast.lastStep, forecast.ahead);
    drawAttempts(plot, attempts);
    drawGhosts(plot, ghosts, key);
    drawAlerts(plot, alerts, key);
  });
  const drawOver = useEffectEvent((plot: uPlot, data: Drawn | null) => {
    if (data) drawNonFinite(plot, data);
    if (key === 'loss') nameAttempts(plot, attempts);
  });
  const measure = useEffectEvent(({ extent }: Drawn) => {
    setWide(isPressedFlat(joinExtents(extent, ghostExtent(ghosts, key, true))));
  });
  const extra = useEffectEvent(() => ghostExtent(ghosts, key, log));
  const zoom = useEffectEvent((range: StepRange | null) => onZoom(range));

  useEffect(() => {
    const place = target.current;
    if (!place) return;
    return observeVisibility(place, () => {
      const look = { log, unit, ...linesAndBands(view) };
      mounted.current = mountPlot(place, look, { feed, view, say, measure, extra, drawUnder, drawOver, zoom });
      setSketch(null); // until then the style sheet hides it
      return () => {
        mounted.current?.remove();
        mounted.current = null;
      };
    });
  }, [feed, log, unit, view]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn again when they change, read where they are drawn
  useEffect(() => mounted.current?.update(), [ghosts]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: likewise
  useEffect(() => mounted.current?.plot.redraw(false), [alerts, attempts, forecast?.points, forecast?.ahead?.step]);

  return { target, readout, mounted, log, sketch };
}

/** What a chart would draw now; null until something was read. */
function readNow(view: ChartView, feed: StepFeed): Drawn | null {
  const picture = feed.picture();
  return picture && view.read(picture);
}

interface MountedPlot {
  plot: uPlot;
  /** Draws what the feed now has. */
  update(): void;
  remove(): void;
}

interface Drawing extends Required<Pick<PlotHooks, 'extra' | 'drawUnder'>> {
  feed: StepFeed;
  view: ChartView;
  say(data: Drawn | null, column: number | null): void;
  measure(data: Drawn): void;
  drawOver(plot: uPlot, data: Drawn | null): void;
  zoom(range: StepRange | null): void;
}

/** Draws whenever the feed has changed. */
function mountPlot(place: HTMLElement, look: PlotLook, drawing: Drawing): MountedPlot {
  const { feed, view, say, measure, extra, drawUnder, drawOver, zoom } = drawing;
  let data: Drawn | null = null;
  const plot = createPlot(place, look, {
    ...{ extra, drawUnder },
    view: () => feed.view(),
    xAxis: () => feed.xAxis(),
    drawOver: (drawn) => drawOver(drawn, data),
    hover: (column) => say(data, column),
    zoom: (from, to) => zoom({ from, to }),
    reset: () => zoom(null),
  });
  const update = () => {
    data = readNow(view, feed);
    if (!data) return;
    measure(data);
    plot.setData([data.steps, ...data.lines]);
    say(data, plot.cursor.idx ?? null);
  };
  update();
  const stops = [feed.subscribe(update), onColorsChange(() => plot.redraw()), follow(place, plot)];
  const remove = () => {
    for (const stop of stops) stop();
    plot.destroy();
  };
  return { plot, update, remove };
}

/** To a screen reader a chart is a slider over its steps, moved with the arrow keys. Without a column, at the newest. */
function describeSlider(slider: HTMLElement, steps: readonly number[], column: number | null, words: string): void {
  const last = steps.at(-1) ?? 0;
  slider.setAttribute('aria-valuemin', String(steps[0] ?? 0));
  slider.setAttribute('aria-valuemax', String(last));
  slider.setAttribute('aria-valuenow', String(column === null ? last : (steps[column] ?? last)));
  slider.setAttribute('aria-valuetext', words);
}

/** What stands at a column, and where that is; without one, the latest value. */
function describe(data: Drawn | null, column: number | null, feed: StepFeed): string {
  if (!data || data.steps.length === 0) return 'no values yet';
  if (column === null) return data.words(null);
  const step = data.steps[column] ?? 0;
  const place = `${feed.columnSteps() > 1 ? 'from step' : 'step'} ${formatCount(step)}`;
  return [place, feed.xAxis().words(step), data.words(column)].filter((words) => words !== null).join(' · ');
}
