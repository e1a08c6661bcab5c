'use client';

import { Button, SegmentedControl } from '@mantine/core';
import { useMemo } from 'react';
import { useUrlParams } from '../../url.ts';
import charts from '../step/charts.module.css';
import { SmoothingSelect } from '../step/charts-toolbar.tsx';
import { readSmoothing, type StepRange, writeRange } from '../step/view-params.ts';
import { X_UNITS, type XUnit } from '../step/x-axis.ts';
import { ChartGrid } from './chart-grid.tsx';
import classes from './compare.module.css';
import { wordsOf } from './compare-chart.tsx';
import { readAlign, readPlaces, writeAlign } from './compare-params.ts';
import { COMPARE_SERIES, compareViews } from './compare-views.ts';
import { CustomCharts } from './custom-charts.tsx';
import { LeftOut } from './left-out.tsx';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useLines } from './use-lines.ts';

/** All runs in one chart for each metric; range, alignment, axes and smoothing are in the address. */
export function CompareCharts({ runs, ...pointing }: { runs: readonly ComparedRun[] } & Pointing) {
  const [params] = useUrlParams();
  const align = readAlign(params);
  const halfLife = readSmoothing(params);
  const { from, to } = readPlaces(params);
  const names = [...new Set(runs.flatMap(({ run }) => run.customNames))].toSorted().join('\n');
  const views = useMemo(() => compareViews(names.split('\n')), [names]);
  const range = useMemo(() => ({ from, to }), [from, to]);
  const shared = { align, range, halfLife };
  const { lines, charts: read, error, isReading } = useLines(runs, { ...shared, views, series: COMPARE_SERIES });
  return (
    <section aria-label="Charts" aria-busy={isReading}>
      <Toolbar {...shared} />
      {error && (
        <p role="alert" className={classes.notices}>
          Some steps could not be read: {error.message}.{' '}
          <Button size="compact-xs" variant="default" onClick={error.retry}>
            Try again
          </Button>
        </p>
      )}
      <LeftOut runs={runs} charts={read} align={align} />
      <ChartGrid views={views} lines={lines} {...shared} {...pointing} />
      <CustomCharts runs={runs} names={names} {...shared} {...pointing} />
    </section>
  );
}

const UNIT_NAMES: Record<XUnit, string> = { step: 'Steps', tokens: 'Tokens', time: 'Time' };

function Toolbar({ align, range, halfLife }: { align: XUnit; range: StepRange; halfLife: number | null }) {
  const [, setParams] = useUrlParams();
  return (
    <div className={charts.toolbar}>
      <ShownRange align={align} range={range} onReset={() => setParams(writeRange({}), 'push')} />
      <span className={charts.controls}>
        <SegmentedControl
          size="xs"
          aria-label="Align by"
          data={X_UNITS.map((value) => ({ value, label: UNIT_NAMES[value] }))}
          value={align}
          onChange={(value) => setParams(writeAlign(value as XUnit))}
        />
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
