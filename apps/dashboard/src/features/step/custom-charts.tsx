'use client';

import type { Alert } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { formatCount } from '../../format.ts';
import { type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import { Message } from '../shell/message.tsx';
import { SearchField } from '../shell/search-field.tsx';
import classes from './charts.module.css';
import { LatestValues } from './latest-values.tsx';
import { metricChart } from './metric-chart.ts';
import { customViews } from './metrics.ts';
import { StepChart } from './step-chart.tsx';
import { useStepFeed } from './use-step-feed.ts';
import {
  CUSTOM_PAGE,
  customNamesRequest,
  MOST_CUSTOM,
  readCustom,
  readScale,
  readSmoothing,
  readUnit,
  SCALAR_SEARCH,
  type StepRange,
  writeCustom,
  writeRange,
  writeScale,
} from './view-params.ts';

interface Props {
  run: RunDetail;
  range: StepRange;
  alerts: readonly Alert[];
}

/** What a run measures beyond what every run does: the first of it by name, or what somebody searches. */
export function CustomCharts(props: Props) {
  const [params, setParams] = useUrlParams();
  const most = readCustom(params, CUSTOM_PAGE);
  const request = customNamesRequest(props.run.id, params, most);
  const { data, error, refetch } = useQuery(
    useTRPC().run.customNames.queryOptions(request, { placeholderData: keepPreviousData }),
  );
  if (error && !data) return <ReadError message={error.message} onRetry={refetch} />;
  if (!data || (data.total === 0 && !request.search)) return null;
  const { names, total } = data;
  return (
    <section className={classes.custom} aria-label="Custom scalars">
      <div className={classes.heading}>
        <h2>Custom scalars</h2>
        {(total > CUSTOM_PAGE || request.search) && <Search total={total} />}
      </div>
      {total === 0 && <p>No custom scalar of this run has “{request.search}” in its name.</p>}
      {names.length > 0 && <ShownCharts {...props} names={names} />}
      {names.length < total && names.length < MOST_CUSTOM && (
        <Button variant="default" size="xs" onClick={() => setParams(writeCustom(most + CUSTOM_PAGE))}>
          Show more of {formatCount(total)}
        </Button>
      )}
    </section>
  );
}

function Search({ total }: { total: number }) {
  return (
    <>
      <SearchField label="Find a custom scalar" placeholder="Find by name" name={SCALAR_SEARCH} without={['custom']} />
      <span role="status">{formatCount(total)} found</span>
    </>
  );
}

function ReadError({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <Message title="The custom scalars could not be read" action={<Button onClick={() => onRetry()}>Try again</Button>}>
      {message}.
    </Message>
  );
}

/** Read apart from the charts above, so that these need not wait for it. */
function ShownCharts({ run, range, alerts, names }: Props & { names: readonly string[] }) {
  const [params, setParams] = useUrlParams();
  const unit = readUnit(params);
  const halfLife = readSmoothing(params);
  const shown = useMemo(() => customViews(names), [names]);
  const series = useMemo(() => shown.map(({ metric }) => metric), [shown]);
  const views = useMemo(() => shown.map((view) => metricChart(view, halfLife)), [shown, halfLife]);
  const { feed, error, retry } = useStepFeed(run, { range, unit, series });
  if (error) return <ReadError message={error.message} onRetry={retry} />;
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
            scale={readScale(view.key, params)}
            onScale={(scale) => setParams(writeScale(view.key, scale, params))}
            onZoom={(next) => setParams(writeRange(next ?? {}), 'push')}
          />
        ))}
      </div>
      <LatestValues feed={feed} views={shown} title="Custom scalars as a table" />
    </>
  );
}
