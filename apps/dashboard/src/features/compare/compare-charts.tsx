'use client';

import { Button } from '@mantine/core';
import { useMemo } from 'react';
import { useUrlParams } from '../../url.ts';
import charts from '../step/charts.module.css';
import { SmoothingSelect, UnitSelect } from '../step/charts-toolbar.tsx';
import { readSmoothing, readUnit, type StepRange, writeRange } from '../step/view-params.ts';
import type { XUnit } from '../step/x-axis.ts';
import { reachOf } from './align.ts';
import { ChartGrid } from './chart-grid.tsx';
import { wordsOf } from './compare-chart.tsx';
import { readPlaces } from './compare-params.ts';
import { COMPARE_SERIES, COMPARE_VIEWS, compareViews } from './compare-views.ts';
import { CustomCharts } from './custom-charts.tsx';
import { LeftOut } from './left-out.tsx';
import { ReadError } from './read-error.tsx';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useLines } from './use-lines.ts';

/** All runs in one chart for each metric; range, alignment, axes and smoothing are in the address. */
export function CompareCharts({ runs, ...pointing }: { runs: readonly ComparedRun[] } & Pointing) {
  const [params] = useUrlParams();
  const align = readUnit(params);
  const halfLife = readSmoothing(params);
  const { from, to } = readPlaces(params);
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
  const grid = { ...shared, ...pointing, whole: reachOf(visible) ?? ([0, 1] as const) };
  return (
    <section aria-label="Charts" aria-busy={isReading}>
      <Toolbar {...shared} />
      <ReadError error={error} />
      <LeftOut runs={runs} charts={read} align={align} />
      <ChartGrid views={views} lines={lines} {...grid} />
      <CustomCharts runs={runs} {...grid} />
    </section>
  );
}

function Toolbar({ align, range, halfLife }: { align: XUnit; range: StepRange; halfLife: number | null }) {
  const [, setParams] = useUrlParams();
  // The range goes with the unit that it is in.
  const realign = (unit: Record<string, string | null>) => setParams({ ...unit, ...writeRange({}) });
  return (
    <div className={charts.toolbar}>
      <ShownRange align={align} range={range} onReset={() => setParams(writeRange({}), 'push')} />
      <span className={charts.controls}>
        <UnitSelect name="Align by" unit={align} onChange={realign} />
        <SmoothingSelect halfLife={halfLife} onChange={setParams} />
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
