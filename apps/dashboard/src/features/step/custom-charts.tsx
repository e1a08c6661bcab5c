'use client';

import type { Alert } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { useMemo } from 'react';
import type { RunDetail } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import { Message } from '../shell/message.tsx';
import classes from './charts.module.css';
import { LatestValues } from './latest-values.tsx';
import { metricChart } from './metric-chart.ts';
import { customViews } from './metrics.ts';
import { StepChart } from './step-chart.tsx';
import { useStepFeed } from './use-step-feed.ts';
import {
  CUSTOM_PAGE,
  readCustom,
  readScale,
  readSmoothing,
  readUnit,
  type StepRange,
  writeCustom,
  writeRange,
  writeScale,
} from './view-params.ts';

/** What a run measures beyond what every run does; read apart, so that the others need not wait for it. */
export function CustomCharts({ run, range, alerts }: { run: RunDetail; range: StepRange; alerts: readonly Alert[] }) {
  const [params, setParams] = useUrlParams();
  const unit = readUnit(params);
  const halfLife = readSmoothing(params);
  const all = useMemo(() => customViews(run.customNames), [run.customNames]);
  const most = readCustom(params, CUSTOM_PAGE);
  const shown = useMemo(() => all.slice(0, most), [all, most]);
  const series = useMemo(() => shown.map(({ metric }) => metric), [shown]);
  const views = useMemo(() => shown.map((view) => metricChart(view, halfLife)), [shown, halfLife]);
  const { feed, error, retry } = useStepFeed(run, { range, unit, series });
  if (all.length === 0) return null;
  if (error) {
    return (
      <Message title="The custom scalars could not be read" action={<Button onClick={() => retry()}>Try again</Button>}>
        {error.message}.
      </Message>
    );
  }
  return (
    <section className={classes.custom} aria-label="Custom scalars">
      <h2>Custom scalars</h2>
      <div className={classes.grid}>
        {views.map((view) => (
          <StepChart
            key={view.key}
            view={view}
            feed={feed}
            unit={unit}
            alerts={alerts}
            attempts={run.attempts}
            scale={readScale(view.key, params)}
            onScale={(scale) => setParams(writeScale(view.key, scale, params))}
            onZoom={(next) => setParams(writeRange(next ?? {}), 'push')}
          />
        ))}
      </div>
      <LatestValues feed={feed} views={shown} title="Custom scalars as a table" />
      {shown.length < all.length && (
        <Button variant="default" size="xs" onClick={() => setParams(writeCustom(most + CUSTOM_PAGE))}>
          Show more of {all.length}
        </Button>
      )}
    </section>
  );
}
