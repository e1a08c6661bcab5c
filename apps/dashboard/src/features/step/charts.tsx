'use client';

import type { Alert } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { useEffect } from 'react';
import { formatCount } from '../../format.ts';
import type { RunDetail } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import { Message } from '../shell/message.tsx';
import classes from './charts.module.css';
import { LayerHeatmap } from './heatmap.tsx';
import { LatestValues } from './latest-values.tsx';
import { METRIC_VIEWS } from './metrics.ts';
import { StepChart } from './step-chart.tsx';
import { useForecast } from './use-forecast.ts';
import { useStepFeed } from './use-step-feed.ts';
import { readRange, readScale, type StepRange, writeRange, writeScale } from './view-params.ts';

/** All that is drawn of a run's steps; range and scales are in the address. */
export function Charts({ run, alerts }: { run: RunDetail; alerts: readonly Alert[] }) {
  const [params, setParams] = useUrlParams();
  const range = readRange(params);
  const { feed, error, retry } = useStepFeed(run, range);
  const forecast = useForecast(run, range);
  const furthest = forecast.ahead?.interval?.[1] ?? forecast.ahead?.step ?? null;
  useEffect(() => feed.lookAhead(furthest), [feed, furthest]);
  const zoom = (next: StepRange | null) => setParams(writeRange(next ?? {}), 'push');

  if (error) {
    return (
      <Message title="The charts could not be read" action={<Button onClick={() => retry()}>Try again</Button>}>
        {error.message}. What the trainer sends is stored all the same.
      </Message>
    );
  }
  return (
    <>
      <RangeBar range={range} onReset={() => zoom(null)} />
      <div className={classes.grid}>
        {METRIC_VIEWS.map((view) => (
          <StepChart
            key={view.metric}
            view={view}
            feed={feed}
            scale={readScale(view.metric, params)}
            alerts={alerts}
            forecast={view.metric === 'tevMean' ? forecast : null}
            onScale={(scale) => setParams(writeScale(view.metric, scale, params))}
            onZoom={zoom}
          />
        ))}
        <LayerHeatmap feed={feed} />
      </div>
      <LatestValues feed={feed} />
    </>
  );
}

function RangeBar({ range, onReset }: { range: StepRange; onReset: () => void }) {
  const whole = range.from === undefined && range.to === undefined;
  return (
    <div className={classes.toolbar}>
      {whole ? (
        <>All steps · drag across a chart to zoom</>
      ) : (
        <>
          <span>
            Steps {formatCount(range.from ?? 0)} to {range.to === undefined ? 'the newest' : formatCount(range.to)}
          </span>
          <Button size="compact-xs" variant="default" onClick={onReset}>
            Show all steps
          </Button>
          <span>or double-click a chart</span>
        </>
      )}
    </div>
  );
}
