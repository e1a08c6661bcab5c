'use client';

import type { StepArray } from '@evenkeel/protocol';
import { type PointerEvent, useEffect, useId, useRef, useState } from 'react';
import uPlot from 'uplot';
import { formatCount, formatExact, formatNumber } from '../../components/format.ts';
import { coalesce } from '../../live/coalesce.ts';
import { columnStepsOf } from './chart-columns.ts';
import classes from './charts.module.css';
import { onCrosshair } from './crosshair.ts';
import type { StepFeed } from './feed.ts';
import { drawHeat, type HeatView, shareOfStep, stepAtShare } from './heat-draw.ts';
import { columnAt, type HeatScale, heatScale, VIRIDIS_CSS } from './heat-scale.ts';
import { observeVisibility } from './observe-visibility.ts';
import { onColorsChange } from './palette.ts';
import { CURSOR_GROUP, GUTTER_BOTTOM, GUTTER_LEFT, GUTTER_RIGHT, placeCursors } from './plot.ts';

const REDRAW_EVERY_MS = 250;

interface Props {
  feed: StepFeed;
  array: Exclude<StepArray, 'tevQuantiles'>;
  title: string;
  /** Its sign, and in words. */
  unit: readonly [sign: string, words: string];
  /** Names of the layers, in the array's order. */
  layers: readonly string[];
}

/** A value of every layer by step, on a logarithmic color scale: which layers explode first. */
export function LayerHeatmap(props: Props) {
  const { title, unit } = props;
  const { canvas, readout, crosshair, scale, point, leave } = useHeatmap(props);
  const heading = useId();
  return (
    <section className={classes.chart} aria-labelledby={heading}>
      <header className={classes.title}>
        <h2 id={heading} title={title}>
          {title}
          {unit[0] && <small>{unit[0]}</small>}
        </h2>
        <output ref={readout} aria-live="off" className={classes.readout} />
      </header>
      <div className={classes.heat} onPointerMove={point} onPointerLeave={leave}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={scale ? `${title} by step, ${inWords(scale)} ${unit[1]}`.trim() : 'No layer was measured yet'}
        />
        <div ref={crosshair} className={classes.crosshair} hidden />
      </div>
      <div className={classes.legend} aria-hidden="true">
        {scale && (
          <>
            <span title={formatExact(scale.low)}>{formatNumber(scale.low)}</span>
            <span className={classes.ramp} style={{ background: VIRIDIS_CSS }} />
            <span title={formatExact(scale.high)}>{`${formatNumber(scale.high)} ${unit[0]}`.trim()}, logarithmic</span>
          </>
        )}
      </div>
    </section>
  );
}

/** Draws into `canvas` as the feed changes, and says in `readout` what stands under the pointer. */
function useHeatmap({ feed, array, layers }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const readout = useRef<HTMLOutputElement>(null);
  const crosshair = useRef<HTMLDivElement>(null);
  const [scale, setScale] = useState<HeatScale | null>(null);
  const pointer = useRef<Place>(null);

  useEffect(() => {
    const target = canvas.current;
    if (!target) return;
    const update = coalesce(() => {
      const chart = feed.picture()?.arrays.get(array);
      if (!chart) return;
      const span = heatScale(chart.values);
      setScale((shown) => (shown?.low === span?.low && shown?.high === span?.high ? shown : span));
      drawHeat(target, chart, layers, heatView(feed), span);
      if (readout.current) readout.current.textContent = describe(feed, array, layers, pointer.current);
    }, REDRAW_EVERY_MS);
    return observeVisibility(target, () => {
      const observer = new ResizeObserver(update);
      observer.observe(target);
      const stops = [feed.subscribe(update), onColorsChange(update), () => observer.disconnect()];
      return () => {
        for (const stop of stops) stop();
      };
    });
  }, [feed, array, layers]);

  useEffect(() => {
    return onCrosshair((step) => {
      const line = crosshair.current;
      const width = (canvas.current?.clientWidth ?? 0) - GUTTER_LEFT - GUTTER_RIGHT;
      const share = step === null ? -1 : shareOfStep(heatView(feed), step);
      if (!line) return;
      line.hidden = share < 0 || share > 1;
      line.style.transform = `translateX(${GUTTER_LEFT + share * width}px)`;
    });
  }, [feed]);

  const point = (event: PointerEvent<HTMLElement>) => {
    pointer.current = placeOf(event);
    placeCursors(stepAtShare(heatView(feed), pointer.current.share));
    if (readout.current) readout.current.textContent = describe(feed, array, layers, pointer.current);
  };
  const leave = () => {
    pointer.current = null;
    for (const plot of uPlot.sync(CURSOR_GROUP).plots) plot.setCursor({ left: -10, top: -10 });
    if (readout.current) readout.current.textContent = '';
  };
  return { canvas, readout, crosshair, scale, point, leave };
}

function heatView(feed: StepFeed): HeatView {
  return { view: feed.view(), axis: feed.xAxis() };
}

interface Place {
  /** From 0 to 1: across the steps, and from the first layer's top to the last one's bottom. */
  share: number;
  down: number;
}

function placeOf(event: PointerEvent<HTMLElement>): Place {
  const box = event.currentTarget.getBoundingClientRect();
  const across = (event.clientX - box.left - GUTTER_LEFT) / (box.width - GUTTER_LEFT - GUTTER_RIGHT);
  return { share: Math.min(1, Math.max(0, across)), down: (event.clientY - box.top) / (box.height - GUTTER_BOTTOM) };
}

function inWords({ low, high }: HeatScale): string {
  return `from ${formatNumber(low)} to ${formatNumber(high)}`;
}

/** What stands under the pointer, to say beside the title. */
function describe(feed: StepFeed, array: StepArray, layers: readonly string[], pointer: Place | null): string {
  const chart = feed.picture()?.arrays.get(array);
  if (!chart || !pointer) return '';
  const columnSteps = columnStepsOf(chart.steps);
  const column = columnAt({ steps: chart.steps, columnSteps }, stepAtShare(heatView(feed), pointer.share));
  const values = chart.values[column] ?? [];
  const layer = Math.floor(pointer.down * values.length);
  if (layer >= values.length) return '';
  const name = layers[layer] ?? `layer ${layer}`;
  return `step ${formatCount(chart.steps[column])} · ${name} · ${formatNumber(values[layer], 5)}`;
}
