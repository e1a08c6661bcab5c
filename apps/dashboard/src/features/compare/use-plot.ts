'use client';

import { useEffect, useEffectEvent, useRef } from 'react';
import type uPlot from 'uplot';
import { onColoursChange } from '../step/palette.ts';
import { createPlot, follow, type PlotHooks, type PlotLook } from '../step/plot.ts';
import type { StepRange } from '../step/view-params.ts';
import { whileInView } from '../step/while-in-view.ts';
import type { XUnit } from '../step/x-axis.ts';
import { axisOf } from './align.ts';
import {
  bandedOf,
  dataOf,
  drawBands,
  drawLost,
  drawNumbers,
  emphasise,
  extentOf,
  pointsOf,
  seriesOf,
} from './compare-plot.ts';
import type { Line } from './lines.ts';

interface Options {
  drawn: readonly Line[];
  log: boolean;
  align: XUnit;
  shown: readonly [number, number];
  emphasised: string | null;
  onZoom: (range: StepRange | null) => void;
  /** The place under the crosshair, or null. */
  onPlace: (place: number | null) => void;
}

/** Draws lines into `target` while it is near the window. */
export function usePlot(options: Options) {
  const { drawn, log, align, shown, emphasised } = options;
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const hooks = useHooks(options);
  const fill = useEffectEvent(() => {
    plot.current?.setData(dataOf(drawn));
    if (plot.current) emphasise(plot.current, drawn, emphasised);
  });
  const look = useEffectEvent((): PlotLook => {
    const series = seriesOf(drawn);
    return { log, unit: align, series, bands: [], points: pointsOf(hooks.lines) };
  });
  const kind = drawn.map(({ id, look: { colour, dash }, smoothed }) => `${id} ${colour} ${dash} ${smoothed !== null}`);

  // biome-ignore lint/correctness/useExhaustiveDependencies: these say which plot it is; what it draws is read then
  useEffect(() => {
    const place = target.current;
    if (!place) return;
    return whileInView(place, () => {
      const created = createPlot(place, look(), hooks);
      plot.current = created;
      fill();
      const stops = [onColoursChange(() => created.redraw()), follow(place, created)];
      return () => {
        for (const stop of stops) stop();
        created.destroy();
        plot.current = null;
      };
    });
  }, [kind.join(), log, align]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn again when they change, read where they are drawn
  useEffect(() => fill(), [drawn, shown[0], shown[1]]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: likewise
  useEffect(() => {
    if (plot.current) emphasise(plot.current, drawn, emphasised);
  }, [emphasised]);
  return { target, plot };
}

/** What a plot asks, answered by the newest options. */
function useHooks({ drawn, log, align, shown, emphasised, onZoom, onPlace }: Options) {
  const view = useEffectEvent((): [number, number] => [shown[0], shown[1]]);
  const reach = useEffectEvent(() => extentOf(drawn, shown, log));
  const zoom = useEffectEvent(onZoom);
  const lines = useEffectEvent(() => drawn);
  const drawUnder = useEffectEvent((on: uPlot) => drawBands(on, bandedOf(drawn, emphasised), log));
  const drawOver = useEffectEvent((on: uPlot) => {
    drawLost(on, emphasised === null ? drawn : drawn.filter(({ id }) => id === emphasised));
    drawNumbers(on, drawn, emphasised);
  });
  const hover = useEffectEvent((column: number | null, on: uPlot) => {
    onPlace(column === null ? null : (on.data[0][column] ?? null));
  });
  const hooks: PlotHooks = {
    ...{ view, reach, drawUnder, drawOver, hover },
    xAxis: () => axisOf(align),
    zoom: (from, to) => zoom({ from, to }),
    reset: () => zoom(null),
  };
  return { ...hooks, lines };
}
