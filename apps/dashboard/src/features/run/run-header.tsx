'use client';

import Link from 'next/link';
import type { ReactNode } from 'react';
import { formatCount, formatDuration, formatExact, formatInstant, formatNumber } from '../../format.ts';
import { type LiveRun, paceOf } from '../../live/board.ts';
import { useNow } from '../../live/clock.ts';
import type { RunDetail } from '../../trpc/client.tsx';
import classes from './run-header.module.css';
import { RunStatusMark } from './run-status.tsx';
import { StopRun } from './stop-run.tsx';

export function RunHeader({ run, heard }: { run: RunDetail; heard: LiveRun | undefined }) {
  const now = useNow();
  const pace = now === null ? null : paceOf(heard, Math.max(now, heard?.at ?? 0));
  const until = run.endedAt?.getTime() ?? now;
  return (
    <header className={classes.header}>
      <div className={classes.name}>
        <span className={classes.project}>
          <Link href="/">Runs</Link> / {run.project}
        </span>
        <h1>{run.name}</h1>
        <RunStatusMark status={run.status} />
        {run.status === 'running' && <StopRun run={run.id} name={run.name} />}
      </div>
      <dl className={classes.facts}>
        <Fact name="Step">{formatCount(run.lastStep)}</Fact>
        {run.status === 'running' && (
          <Fact name="Steps/s" exact={formatExact(pace)}>
            {formatNumber(pace)}
          </Fact>
        )}
        <Fact name="Loss" unit="nats" exact={formatExact(run.loss)}>
          {formatNumber(run.loss, 4)}
        </Fact>
        <Fact name="TEV" exact={formatExact(run.tevMean)}>
          {formatNumber(run.tevMean, 4)}
        </Fact>
        {run.owner && <Fact name="Owner">{run.owner}</Fact>}
        {run.endedAt && (
          <Fact name="Ended" exact={formatInstant(run.endedAt)}>
            {now === null ? '' : `${formatDuration(now - run.endedAt.getTime())} ago`}
          </Fact>
        )}
        <Fact name={run.endedAt ? 'Took' : 'Running for'} exact={`started ${formatInstant(run.startedAt)}`}>
          {until === null ? '' : formatDuration(until - run.startedAt.getTime())}
        </Fact>
      </dl>
      {run.reason && <p className={classes.reason}>{run.reason}</p>}
    </header>
  );
}

interface FactProps {
  name: string;
  unit?: string;
  exact?: string;
  children: ReactNode;
}

function Fact({ name, unit, exact, children }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd title={exact}>
        {children} {unit && <small>{unit}</small>}
      </dd>
    </div>
  );
}
