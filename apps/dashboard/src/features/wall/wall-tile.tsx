'use client';

import Link from 'next/link';
import { memo } from 'react';
import { formatCount, formatDuration, formatExact, formatNumber } from '../../components/format.ts';
import { withLive } from '../../live/board.ts';
import { useNow } from '../../live/clock.ts';
import { useLiveRun } from '../../live/use-live.ts';
import type { RunSummary } from '../../trpc/client.tsx';
import { AlertMark } from '../alert/alert-mark.tsx';
import { forecastSeverity } from '../run/risk-gauge.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import { Sparkline } from '../run/sparkline.tsx';
import { useSparklines } from '../run/use-sparklines.ts';
import classes from './wall.module.css';

export const WallTile = memo(function WallTile({ base, readAt }: { base: RunSummary; readAt: number }) {
  const live = useLiveRun(base.id);
  const run = withLive(base, readAt, live);
  const sparklines = useSparklines(run);
  return (
    <li className={classes.tile}>
      <article className={classes.content} data-severity={run.status === 'running' ? forecastSeverity(run) : 'past'}>
        <div className={classes.state}>
          <RunStatusMark status={run.status} />
          <span className={classes.minor}>step {formatCount(run.lastStep)}</span>
        </div>
        <h2>
          <Link href={`/runs/${run.id}`} prefetch={false}>
            {run.name}
          </Link>
        </h2>
        {run.status === 'running' ? <Forecast run={run} /> : <Ending run={run} />}
        <div className={classes.measures}>
          <Measure label="Loss" unit="nats" value={run.loss} values={sparklines.loss} />
          <Measure label="TEV" value={run.tevMean} values={sparklines.tev} />
        </div>
        <div className={classes.foot}>
          {run.openAlerts.map((alert) => (
            <AlertMark key={alert.rule} alert={alert} />
          ))}
          {run.openAlerts.length === 0 && <span className={classes.minor}>no open alerts</span>}
        </div>
      </article>
    </li>
  );
});

function Forecast({ run: { risk, divergenceStep } }: { run: RunSummary }) {
  if (risk === null) return <p className={classes.verdict}>no forecast yet</p>;
  return (
    <p className={classes.verdict} title={`risk ${formatExact(risk)} of divergence within 100 steps`}>
      <strong>
        {Math.round(risk * 100)}
        <small>%</small>
      </strong>
      {divergenceStep === null ? 'risk of divergence' : `diverges around step ${formatCount(divergenceStep)}`}
    </p>
  );
}

function Ending({ run: { reason, endedAt } }: { run: RunSummary }) {
  const now = useNow();
  return (
    <div className={classes.verdict}>
      <p className={classes.ending}>
        {now !== null && endedAt && `${formatDuration(now - endedAt.getTime())} ago`}
        {reason && `: ${reason}`}
      </p>
    </div>
  );
}

interface MeasureProps {
  label: string;
  unit?: string;
  value: number | null;
  values: readonly number[];
}

function Measure({ label, unit, value, values }: MeasureProps) {
  return (
    <div className={classes.measure} title={formatExact(value)}>
      <span className={classes.minor}>
        {label} {unit}
      </span>
      <Sparkline values={values} />
      <span data-finite={value === null || Number.isFinite(value)}>{formatNumber(value)}</span>
    </div>
  );
}
