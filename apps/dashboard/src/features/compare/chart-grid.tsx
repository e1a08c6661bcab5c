'use client';

import charts from '../chart/charts.module.css';
import type { MetricView } from '../chart/metrics.ts';
import { useScales, useZoom } from '../chart/use-view-params.ts';
import type { StepRange } from '../chart/view-params.ts';
import type { XUnit } from '../chart/x-axis.ts';
import { CompareChart } from './compare-chart.tsx';
import type { Line } from './lines.ts';
import type { Pointing } from './readout.tsx';

interface GridProps extends Pointing {
  views: readonly MetricView[];
  lines: ReadonlyMap<string, readonly Line[]>;
  align: XUnit;
  range: StepRange;
  /** First and last place of all runs. */
  whole: readonly [number, number];
}

/** A chart for each view, all of the same places. */
export function ChartGrid({ views, lines, align, range, whole, ...pointing }: GridProps) {
  const scaleOf = useScales();
  const zoom = useZoom();
  const from = range.from ?? whole[0];
  const shown = [from, Math.max(range.to ?? whole[1], from + 1)] as const;
  return (
    <div className={charts.grid}>
      {views.map((view) => (
        <CompareChart
          key={view.metric}
          view={view}
          lines={lines.get(view.metric) ?? NONE}
          align={align}
          shown={shown}
          whole={whole}
          {...scaleOf(view.metric)}
          onZoom={zoom}
          {...pointing}
        />
      ))}
    </div>
  );
}

const NONE: readonly Line[] = [];
