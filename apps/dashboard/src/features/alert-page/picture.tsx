'use client';

import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useQueryStates } from 'nuqs';
import { useEffect, useMemo, useState } from 'react';
import { formatCount } from '../../components/format.ts';
import { Message } from '../../components/message.tsx';
import { type ListedAlert, useTRPC } from '../../trpc/client.tsx';
import { nextFrame, StepFeed } from '../chart/feed.ts';
import { LatestValues } from '../chart/latest-values.tsx';
import { metricChart } from '../chart/metric-chart.ts';
import { StepChart } from '../chart/step-chart.tsx';
import type { ShownForecast } from '../chart/use-forecast.ts';
import { useScales, useZoom } from '../chart/use-view-params.ts';
import { stepRange, VIEW_PARAMS } from '../chart/view-params.ts';
import classes from './alert-page.module.css';
import { type PictureRange, pictureRange, pictureRequest } from './picture-range.ts';
import { pictureViews } from './picture-views.ts';

const RANGE_PARAMS = { from: VIEW_PARAMS.from, to: VIEW_PARAMS.to };

/** The charts as they were when the alert was raised, whatever has become of the run since. */
export function Picture({ alert, isSketched }: { alert: ListedAlert; isSketched: boolean }) {
  const asked = stepRange(useQueryStates(RANGE_PARAMS)[0]);
  const range = pictureRange(alert, asked);
  const { feed, error, retry } = usePictureFeed(alert, range);
  const forecast = useForecastThen(alert, range);
  const raised = useMemo(() => [{ ...alert, status: 'open' as const }], [alert]); // as it was then
  const shown = useMemo(() => pictureViews(alert.rule), [alert.rule]);
  const views = useMemo(() => shown.map((view) => metricChart(view, null)), [shown]);
  const zoom = useZoom();
  const scaleOf = useScales();

  if (error) {
    return (
      <Message title="The picture could not be read" action={<Button onClick={() => retry()}>Try again</Button>}>
        {error.message}. What the alert saw is stored all the same.
      </Message>
    );
  }
  return (
    <>
      {Object.keys(asked).length > 0 && (
        <p className={classes.caption}>
          Steps {formatCount(range.view.from)} to {formatCount(range.view.to)}{' '}
          <Button size="compact-xs" variant="default" onClick={() => zoom(null)}>
            Show the window again
          </Button>
        </p>
      )}
      <div className={classes.charts}>
        {views.map((view) => (
          <StepChart
            key={view.key}
            view={view}
            isSketched={isSketched}
            feed={feed}
            {...scaleOf(view.key)}
            alerts={raised}
            forecast={view.key === 'tevMean' && alert.risk !== null ? forecast : null}
            shaded={alert.window}
            onZoom={zoom}
          />
        ))}
      </div>
      <LatestValues feed={feed} views={shown} title="The charts as a table" />
    </>
  );
}

function usePictureFeed(alert: ListedAlert, range: PictureRange) {
  const request = pictureRequest(alert, range);
  const chart = useQuery(useTRPC().step.chart.queryOptions(request, { placeholderData: keepPreviousData }));
  const { from, to } = range.view;
  const last = alert.window[1]; // the run went no further then
  const [feed] = useState(() => {
    const created = new StepFeed({ attempt: alert.attempt, schedule: nextFrame, startedAt: 0 });
    created.show({ from, to });
    if (chart.data) created.load({ ...chart.data, lastStep: last });
    return created;
  });
  useEffect(() => feed.show({ from, to }), [feed, from, to]);
  useEffect(() => {
    if (chart.data) feed.load({ ...chart.data, lastStep: last });
  }, [feed, chart.data, last]);
  return { feed, error: chart.data ? null : chart.error, retry: chart.refetch };
}

/** What was forecast up to the last step that the alert saw, and what it said itself. */
function useForecastThen(alert: ListedAlert, range: PictureRange): ShownForecast {
  const options = useTRPC().step.forecasts.queryOptions(pictureRequest(alert, range), {
    placeholderData: keepPreviousData,
  });
  const read = useQuery(options).data;
  return useMemo(() => {
    const { risk, divergenceStep } = alert;
    const [, last] = alert.window;
    const points = read ?? [];
    const interval = points.at(-1)?.divergenceInterval ?? null;
    const own = { step: last, risk: risk ?? 0, divergenceStep, divergenceInterval: interval };
    const isAhead = divergenceStep !== null && divergenceStep > last;
    return { points: [...points, own], lastStep: last, ahead: isAhead ? { step: divergenceStep, interval } : null };
  }, [alert, read]);
}
