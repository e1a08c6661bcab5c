'use client';

import type { Alert } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { useQueryStates } from 'nuqs';
import { useMemo } from 'react';
import { Message } from '../../components/message.tsx';
import type { RunDetail } from '../../trpc/client.tsx';
import classes from './charts.module.css';
import { ChartsToolbar } from './charts-toolbar.tsx';
import { CustomCharts } from './custom-charts.tsx';
import { LayerHeatmap } from './heatmap.tsx';
import { LatestValues } from './latest-values.tsx';
import { metricChart } from './metric-chart.ts';
import { METRIC_SERIES, metricViews, reportedNames } from './metrics.ts';
import { TEV_DISTRIBUTION } from './quantile-chart.ts';
import { StepChart } from './step-chart.tsx';
import { furthestStep } from './superseded.ts';
import { SystemCharts } from './system-charts.tsx';
import { useForecast } from './use-forecast.ts';
import { useGhosts } from './use-ghosts.ts';
import { useStepArray, useStepFeed } from './use-step-feed.ts';
import { useScales, useZoom } from './use-view-params.ts';
import { stepRange, VIEW_PARAMS } from './view-params.ts';

interface Props {
  run: RunDetail;
  alerts: readonly Alert[];
  /** Whether the server had the charts at hand, and has drawn them. */
  isSketched: boolean;
}

/** All that is drawn of a run's steps; range, axes and smoothing are in the address. */
export function Charts({ run, alerts, isSketched }: Props) {
  const [params] = useQueryStates(VIEW_PARAMS);
  const { from, to } = stepRange(params);
  const range = useMemo(() => ({ from, to }), [from, to]);
  const { x: asked, smooth: halfLife } = params;
  const forecast = useForecast(run, range);
  const diverged = forecast.ahead?.interval?.[1] ?? forecast.ahead?.step ?? Number.NEGATIVE_INFINITY;
  const ahead = Math.max(diverged, furthestStep(run.attempts)); // what made a run rewind stays in view
  const shown = { range, unit: asked, series: METRIC_SERIES, ahead };
  const { feed, hasTokens, known, error, retry } = useStepFeed(run, shown);
  const unit = asked === 'tokens' && !hasTokens ? 'step' : asked;
  const hasGradVar = useStepArray(feed, run.id, range, 'layerGradVar');
  const hasQuantiles = useStepArray(feed, run.id, range, 'tevQuantiles');
  const hasOutVar = useStepArray(feed, run.id, range, 'layerOutVar');
  const ghosts = useGhosts(run, range);
  const metrics = useMemo(() => metricViews(known.split('\n')), [known]);
  const views = useMemo(() => metrics.map((view) => metricChart(view, halfLife)), [metrics, halfLife]);
  const zoom = useZoom();
  const scaleOf = useScales();

  if (error) {
    return (
      <Message title="The charts could not be read" action={<Button onClick={() => retry()}>Try again</Button>}>
        {error.message}. What the trainer sends is stored all the same.
      </Message>
    );
  }
  const shared = { feed, unit, alerts, attempts: run.attempts, onZoom: zoom };
  return (
    <>
      <ChartsToolbar range={range} unit={unit} hasTokens={hasTokens} halfLife={halfLife} />
      <div className={classes.grid}>
        {views.map((view, at) => (
          <StepChart
            key={view.key}
            {...shared}
            {...scaleOf(view.key)}
            view={view}
            reportedAs={metrics[at] && reportedNames(metrics[at], run.names)}
            isSketched={isSketched}
            ghosts={ghosts}
            forecast={view.key === 'tevMean' ? forecast : null}
          />
        ))}
        {hasGradVar && (
          <LayerHeatmap
            feed={feed}
            array="layerGradVar"
            title="Gradient variance by layer"
            unit={['nats²', 'nats squared']}
            layers={run.layers}
          />
        )}
        {hasQuantiles && <StepChart {...shared} {...scaleOf(TEV_DISTRIBUTION.key)} view={TEV_DISTRIBUTION} />}
        {hasOutVar && (
          <LayerHeatmap
            feed={feed}
            array="layerOutVar"
            title="Output variance by layer"
            unit={['', '']}
            layers={run.layers}
          />
        )}
      </div>
      <LatestValues feed={feed} views={metrics} layers={run.layers} title="The charts as a table" />
      <CustomCharts run={run} range={range} alerts={alerts} />
      <SystemCharts run={run} range={range} alerts={alerts} />
    </>
  );
}
