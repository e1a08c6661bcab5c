'use client';

import Link from 'next/link';
import { memo } from 'react';
import { formatCount, formatDuration, formatExact, formatInstant, formatNumber } from '../../format.ts';
import { paceOf, withLive } from '../../live/board.ts';
import type { Trace } from '../../live/trace.ts';
import { useLiveRun } from '../../live/use-live.ts';
import type { RunSummary } from '../../trpc/client.tsx';
import { AlertMark } from '../alert/alert-mark.tsx';
import classes from './board.module.css';
import { RunStatusMark } from './run-status.tsx';
import { Sparkline } from './sparkline.tsx';

interface Props {
  base: RunSummary;
  /** When `base` was read. */
  readAt: number;
  /** Coarse, so that a quiet row is not drawn again every second; null on the server. */
  now: number | null;
}

export const BoardRow = memo(function BoardRow({ base, readAt, now }: Props) {
  const live = useLiveRun(base.id);
  const run = withLive(base, readAt, live);
  const pace = now === null ? null : paceOf(live, Math.max(now, live?.at ?? 0));
  return (
    <tr data-run={run.id}>
      <th scope="row" className={classes.name}>
        <Link href={`/runs/${run.id}`} prefetch={false}>
          {run.name}
        </Link>
      </th>
      <td className={classes.minor}>{run.project}</td>
      <td title={run.reason ?? undefined}>
        <RunStatusMark status={run.status} />
      </td>
      <td className={classes.number}>{formatCount(run.lastStep)}</td>
      <td
        className={`${classes.number} ${classes.minor}`}
        title={pace === null ? undefined : `${formatExact(pace)} steps a second`}
      >
        {formatNumber(pace)}
      </td>
      <Measured value={run.loss} trace={live?.lossTrace ?? []} />
      <Measured value={run.tevMean} trace={live?.tevTrace ?? []} className={classes.minor} />
      <td>
        <span className={classes.alerts}>
          {run.openAlerts.map((alert) => (
            <AlertMark key={alert.rule} alert={alert} />
          ))}
        </span>
      </td>
      <td className={classes.minor}>{run.owner}</td>
      <td className={`${classes.number} ${classes.minor}`} title={`started ${formatInstant(run.startedAt)}`}>
        {now !== null && formatDuration(now - run.startedAt.getTime())}
      </td>
    </tr>
  );
});

interface MeasuredProps {
  value: number | null;
  trace: Trace;
  className?: string;
}

function Measured({ value, trace, className = '' }: MeasuredProps) {
  const finite = value === null || Number.isFinite(value);
  return (
    <td className={`${classes.number} ${className}`} title={formatExact(value)}>
      <span className={classes.measured} data-finite={finite}>
        <Sparkline trace={trace} />
        {formatNumber(value)}
      </span>
    </td>
  );
}
