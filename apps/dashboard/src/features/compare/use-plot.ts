'use client';

import { useEffect, useEffectEvent, useRef } from 'react';
import type uPlot from 'uplot';
import { observeVisibility } from '../chart/observe-visibility.ts';
import { onColorsChange } from '../chart/palette.ts';
import { createPlot, follow, type PlotHooks, type PlotLook } from '../chart/plot.ts';
import type { StepRange } from '../chart/view-params.ts';
import type { XUnit } from '../chart/x-axis.ts';
import { axisOf } from './align.ts';
import {
  bandedOf,
  dataOf,
  drawBands,
  drawLost,
  drawNumbers,
  emphasize,
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
  emphasized: string | null;
  onZoom: (range: StepRange | null) => void;
  /** The place under the crosshair, or null. */
  onPlace: (place: number | null) => void;
}

/** Draws lines into `target` while it is near the window. */
export function usePlot(options: Options) {
  const { drawn, log, align, shown, emphasized } = options;
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const hooks = useHooks(options);
  const fill = useEffectEvent(() => {
    plot.current?.setData(dataOf(drawn));
    if (plot.current) emphasize(plot.current, drawn, emphasized);
  });
  const look = useEffectEvent((): PlotLook => {
    const series = seriesOf(drawn);
    return { log, unit: align, series, bands: [], points: pointsOf(hooks.lines) };
  });
  const kind = drawn.map(({ id, look: { color, dash }, smoothed }) => `${id} ${color} ${dash} ${smoothed !== null}`);

  // biome-ignore lint/correctness/useExhaustiveDependencies: these say which plot it is; what it draws is read then
  useEffect(() => {
    const place = target.current;
    if (!place) return;
    return observeVisibility(place, () => {
      const created = createPlot(place, look(), hooks);
      plot.current = created;
      fill();
      const stops = [onColorsChange(() => created.redraw()), follow(place, created)];
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
    if (plot.current) emphasize(plot.current, drawn, emphasized);
  }, [emphasized]);
  return { target, plot };
}

/** What a plot asks, answered by the newest options. */
function useHooks({ drawn, log, align, shown, emphasized, onZoom, onPlace }: Options) {
  const view = useEffectEvent((): [number, number] => [shown[0], shown[1]]);
  const extra = useEffectEvent(() => extentOf(drawn, shown, log));
  const zoom = useEffectEvent(onZoom);
  const lines = useEffectEvent(() => drawn);
  const drawUnder = useEffectEvent((on: uPlot) => drawBands(on, bandedOf(drawn, emphasized), log));
  const drawOver = useEffectEvent((on: uPlot) => {
    drawLost(on, emphasized === null ? drawn : drawn.filter(({ id }) => id === emphasized));
    drawNumbers(on, drawn, emphasized);
  });
  const hover = useEffectEvent((column: number | null, on: uPlot) => {
    onPlace(column === null ? null : (on.data[0][column] ?? null));
  });
  const hooks: PlotHooks = {
    ...{ view, extra, drawUnder, drawOver, hover },
    xAxis: () => axisOf(align),
    zoom: (from, to) => zoom({ from, to }),
    reset: () => zoom(null),
  };
  return { ...hooks, lines };
}
