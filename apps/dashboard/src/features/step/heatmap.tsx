'use client';

import { type PointerEvent, useEffect, useId, useRef, useState } from 'react';
import uPlot from 'uplot';
import { coalesce } from '../../coalesce.ts';
import { formatCount, formatExact, formatNumber } from '../../format.ts';
import { columnStepsOf } from './chart-columns.ts';
import classes from './charts.module.css';
import { onCrosshair } from './crosshair.ts';
import type { StepFeed } from './feed.ts';
import { drawHeat, HEAT_FOOT } from './heat-draw.ts';
import { columnAt, type HeatScale, heatScale, VIRIDIS_CSS } from './heat-scale.ts';
import { onColoursChange } from './palette.ts';
import { CURSOR_GROUP, GUTTER_LEFT, GUTTER_RIGHT, placeCursors } from './plot.ts';

const REDRAW_EVERY_MS = 250;

/** Gradient variance by step and layer: which layers explode first. */
export function LayerHeatmap({ feed }: { feed: StepFeed }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const readout = useRef<HTMLOutputElement>(null);
  const crosshair = useRef<HTMLDivElement>(null);
  const [scale, setScale] = useState<HeatScale | null>(null);
  const pointer = useRef<{ share: number; down: number }>(null);
  const title = useId();

  useEffect(() => {
    const target = canvas.current;
    if (!target) return;
    const update = coalesce(() => {
      const layers = feed.picture()?.layers;
      if (!layers) return;
      const span = heatScale(layers.gradVar);
      setScale((shown) => (shown?.low === span?.low && shown?.high === span?.high ? shown : span));
      drawHeat(target, layers, feed.view(), span);
      if (readout.current) readout.current.textContent = describe(feed, pointer.current);
    }, REDRAW_EVERY_MS);
    const observer = new ResizeObserver(update);
    observer.observe(target);
    const stops = [feed.subscribe(update), onColoursChange(update), () => observer.disconnect()];
    return () => {
      for (const stop of stops) stop();
    };
  }, [feed]);

  useEffect(() => {
    return onCrosshair((step) => {
      const line = crosshair.current;
      const width = (canvas.current?.clientWidth ?? 0) - GUTTER_LEFT - GUTTER_RIGHT;
      const [from, to] = feed.view();
      const share = step === null ? -1 : (step - from) / (to - from);
      if (!line) return;
      line.hidden = share < 0 || share > 1;
      line.style.transform = `translateX(${GUTTER_LEFT + share * width}px)`;
    });
  }, [feed]);

  const point = (event: PointerEvent<HTMLElement>) => {
    pointer.current = placeOf(event);
    const step = stepAt(feed, pointer.current.share);
    placeCursors(step);
    if (readout.current) readout.current.textContent = describe(feed, pointer.current);
  };
  const leave = () => {
    pointer.current = null;
    for (const plot of uPlot.sync(CURSOR_GROUP).plots) plot.setCursor({ left: -10, top: -10 });
    if (readout.current) readout.current.textContent = '';
  };

  return (
    <section className={classes.chart} aria-labelledby={title}>
      <header className={classes.title}>
        <h2 id={title}>
          Gradient variance by layer
          <small>nats²</small>
        </h2>
        <output ref={readout} aria-live="off" className={classes.readout} />
      </header>
      <div className={classes.heat} onPointerMove={point} onPointerLeave={leave}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={scale ? `Gradient variance by step and layer, ${inWords(scale)}` : 'No layer was measured yet'}
        />
        <div ref={crosshair} className={classes.crosshair} hidden />
      </div>
      <div className={classes.legend} aria-hidden="true">
        {scale && (
          <>
            <span title={formatExact(scale.low)}>{formatNumber(scale.low)}</span>
            <span className={classes.ramp} style={{ background: VIRIDIS_CSS }} />
            <span title={formatExact(scale.high)}>{formatNumber(scale.high)} nats², logarithmic</span>
          </>
        )}
      </div>
    </section>
  );
}

/** Where the pointer is, from 0 to 1: across the steps, and from the first layer's top to the last one's bottom. */
function placeOf(event: PointerEvent<HTMLElement>): { share: number; down: number } {
  const box = event.currentTarget.getBoundingClientRect();
  const across = (event.clientX - box.left - GUTTER_LEFT) / (box.width - GUTTER_LEFT - GUTTER_RIGHT);
  return { share: Math.min(1, Math.max(0, across)), down: (event.clientY - box.top) / (box.height - HEAT_FOOT) };
}

function stepAt(feed: StepFeed, share: number): number {
  const [from, to] = feed.view();
  return from + share * (to - from);
}

function inWords({ low, high }: HeatScale): string {
  return `from ${formatNumber(low)} to ${formatNumber(high)} nats squared`;
}

/** What stands under the pointer, to say beside the title. */
function describe(feed: StepFeed, pointer: { share: number; down: number } | null): string {
  const layers = feed.picture()?.layers;
  if (!layers || !pointer) return '';
  const columnSteps = columnStepsOf(layers.steps);
  const column = columnAt({ steps: layers.steps, columnSteps }, stepAt(feed, pointer.share));
  const values = layers.gradVar[column] ?? [];
  const layer = Math.floor(pointer.down * values.length);
  if (layer >= values.length) return '';
  const name = layers.layers[layer] ?? `layer ${layer}`;
  return `step ${formatCount(layers.steps[column])} · ${name} · ${formatNumber(values[layer], 5)}`;
}
