'use client';

import { Button } from '@mantine/core';
import { useQueryStates } from 'nuqs';
import { useMemo } from 'react';
import charts from '../chart/charts.module.css';
import { SmoothingSelect, UnitSelect } from '../chart/charts-toolbar.tsx';
import { useZoom } from '../chart/use-view-params.ts';
import { type StepRange, VIEW_PARAMS } from '../chart/view-params.ts';
import type { XUnit } from '../chart/x-axis.ts';
import { rangeOf } from './align.ts';
import { ChartGrid } from './chart-grid.tsx';
import { wordsOf } from './compare-chart.tsx';
import { PLACE_PARAMS, placeRange } from './compare-params.ts';
import { COMPARE_SERIES, COMPARE_VIEWS, compareViews } from './compare-views.ts';
import { CustomCharts } from './custom-charts.tsx';
import { LeftOut } from './left-out.tsx';
import { ReadError } from './read-error.tsx';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useLines } from './use-lines.ts';

const CHART_PARAMS = { ...PLACE_PARAMS, x: VIEW_PARAMS.x, smooth: VIEW_PARAMS.smooth };

/** All runs in one chart for each metric; range, alignment, axes and smoothing are in the address. */
export function CompareCharts({ runs, ...pointing }: { runs: readonly ComparedRun[] } & Pointing) {
  const [params] = useQueryStates(CHART_PARAMS);
  const { x: align, smooth: halfLife } = params;
  const { from, to } = placeRange(params);
  const range = useMemo(() => ({ from, to }), [from, to]);
  const shared = { align, range, halfLife };
  const {
    lines,
    places,
    charts: read,
    error,
    isReading,
  } = useLines(runs, { ...shared, views: COMPARE_VIEWS, series: COMPARE_SERIES });
  const known = [...new Set(read.flatMap((chart) => Object.keys(chart?.series ?? {})))].join('\n');
  const views = useMemo(() => compareViews(known.split('\n')), [known]);
  const visible = places.filter((_, at) => !pointing.hidden.has(runs[at]?.id ?? ''));
  const grid = { ...shared, ...pointing, whole: rangeOf(visible) ?? ([0, 1] as const) };
  return (
    <section aria-label="Charts" aria-busy={isReading}>
      <Toolbar range={range} />
      <ReadError error={error} />
      <LeftOut runs={runs} charts={read} align={align} />
      <ChartGrid views={views} lines={lines} {...grid} />
      <CustomCharts runs={runs} {...grid} />
    </section>
  );
}

function Toolbar({ range }: { range: StepRange }) {
  const [{ x: align, smooth: halfLife }, setParams] = useQueryStates(CHART_PARAMS);
  const zoom = useZoom();
  // The range goes with the unit that it is in.
  const realign = (x: XUnit) => setParams({ x, from: null, to: null });
  return (
    <div className={charts.toolbar}>
      <ShownRange align={align} range={range} onReset={() => zoom(null)} />
      <span className={charts.controls}>
        <UnitSelect name="Align by" unit={align} onChange={realign} />
        <SmoothingSelect halfLife={halfLife} onChange={(smooth) => setParams({ smooth })} />
      </span>
    </div>
  );
}

function ShownRange({ align, range: { from, to }, onReset }: { align: XUnit; range: StepRange; onReset: () => void }) {
  if (from === undefined && to === undefined) return <span>All of every run · drag across a chart to zoom</span>;
  return (
    <>
      <span>
        From {from === undefined ? 'the beginning' : wordsOf(align, from)} to{' '}
        {to === undefined ? 'the end' : wordsOf(align, to)}
      </span>
      <Button size="compact-xs" variant="default" onClick={onReset}>
        Show all
      </Button>
      <span>or double-click a chart</span>
    </>
  );
}
