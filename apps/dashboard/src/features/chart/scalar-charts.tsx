'use client';

import type { Alert } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { useQueryStates } from 'nuqs';
import { useMemo } from 'react';
import { Message } from '../../components/message.tsx';
import type { RunDetail } from '../../trpc/client.tsx';
import classes from './charts.module.css';
import { LatestValues } from './latest-values.tsx';
import { metricChart } from './metric-chart.ts';
import { customViews } from './metrics.ts';
import { StepChart } from './step-chart.tsx';
import { useStepFeed } from './use-step-feed.ts';
import { useScales, useZoom } from './use-view-params.ts';
import { type StepRange, VIEW_PARAMS } from './view-params.ts';

const AXIS_PARAMS = { x: VIEW_PARAMS.x, smooth: VIEW_PARAMS.smooth };

export interface ScalarProps {
  run: RunDetail;
  range: StepRange;
  alerts: readonly Alert[];
}

/** Where the names, or the values, of custom scalars could not be read. */
export function ScalarsError({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <Message title="The custom scalars could not be read" action={<Button onClick={() => onRetry()}>Try again</Button>}>
      {message}.
    </Message>
  );
}

/** Charts of custom scalars by name. Read apart from the charts above, so that these need not wait for it. */
export function ScalarCharts({
  run,
  range,
  alerts,
  names,
  table,
}: ScalarProps & { names: readonly string[]; table: string }) {
  const [{ x: unit, smooth: halfLife }] = useQueryStates(AXIS_PARAMS);
  const scaleOf = useScales();
  const zoom = useZoom();
  const shown = useMemo(() => customViews(names), [names]);
  const series = useMemo(() => shown.map(({ metric }) => metric), [shown]);
  const views = useMemo(() => shown.map((view) => metricChart(view, halfLife)), [shown, halfLife]);
  const { feed, error, retry } = useStepFeed(run, { range, unit, series });
  if (error) return <ScalarsError message={error.message} onRetry={retry} />;
  return (
    <>
      <div className={classes.grid}>
        {views.map((view) => (
          <StepChart
            key={view.key}
            view={view}
            feed={feed}
            unit={unit}
            alerts={alerts}
            attempts={run.attempts}
            {...scaleOf(view.key)}
            onZoom={zoom}
          />
        ))}
      </div>
      <LatestValues feed={feed} views={shown} title={table} />
    </>
  );
}
