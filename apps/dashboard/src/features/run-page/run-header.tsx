'use client';

import Link from 'next/link';
import type { ReactNode } from 'react';
import { exactly } from '../../components/exact.ts';
import { formatCount, formatDuration, formatExact, formatInstant, formatNumber } from '../../components/format.ts';
import { type LiveRun, paceOf } from '../../live/board.ts';
import { useNow } from '../../live/clock.ts';
import type { RunCommand, RunDetail } from '../../trpc/client.tsx';
import { GiveCommand } from '../command/give-command.tsx';
import { compareHref } from '../compare/compare-params.ts';
import { RunStatusMark } from '../run/run-status.tsx';
import { RunSwatch } from '../run/run-swatch.tsx';
import { ExportMenu } from './export-menu.tsx';
import classes from './run-header.module.css';

interface Props {
  run: RunDetail;
  live: LiveRun | undefined;
  commands: readonly RunCommand[];
}

export function RunHeader({ run, live, commands }: Props) {
  const now = useNow();
  const pace = now === null ? null : paceOf(live, Math.max(now, live?.at ?? 0));
  const until = run.endedAt?.getTime() ?? now;
  return (
    <header className={classes.header}>
      <div className={classes.name}>
        <span className={classes.project}>
          <Link href="/">Runs</Link> / <Link href={`/?project=${encodeURIComponent(run.project)}`}>{run.project}</Link>{' '}
          · <Link href={`/projects/${encodeURIComponent(run.project)}/rules`}>Rules</Link> ·{' '}
          <Link href={`/projects/${encodeURIComponent(run.project)}/names`}>Names</Link>
        </span>
        <RunSwatch run={run.id} />
        <h1>{run.name}</h1>
        <RunStatusMark status={run.status} />
        <Link href={compareHref([run.id])} prefetch={false}>
          Compare
        </Link>
        <ExportMenu run={run.id} />
        {(run.status === 'running' || run.status === 'lost') && (
          <GiveCommand
            run={run.id}
            name={run.name}
            commands={commands.filter(({ attempt }) => attempt === run.attempts.at(-1)?.number)}
          />
        )}
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
        {run.parent && (
          <Fact name="Part of">
            <Link href={`/runs/${run.parent.id}`} prefetch={false}>
              {run.parent.name}
            </Link>
          </Fact>
        )}
        {run.owner && <Fact name="Owner">{run.owner}</Fact>}
        <Fact name={run.endedAt ? 'Duration' : 'Running for'} exact={`started ${formatInstant(run.startedAt)}`}>
          {until === null ? '' : formatDuration(until - run.startedAt.getTime())}
        </Fact>
        {run.endedAt && (
          <Fact name="Ended" exact={formatInstant(run.endedAt)}>
            {now === null ? '' : `${formatDuration(now - run.endedAt.getTime())} ago`}
          </Fact>
        )}
      </dl>
      {run.reason && <Reason run={run} stop={commands.find(({ kind }) => kind === 'stop')} />}
    </header>
  );
}

/** Why the run ended. What an alert that stopped it has to say stands with the alert. */
function Reason({ run: { status, reason }, stop }: { run: RunDetail; stop: RunCommand | undefined }) {
  const isByCommand = status === 'stopped' && stop?.by && stop.reason === reason;
  if (!isByCommand) return <p className={classes.reason}>{reason}</p>;
  if (!stop.alert) return <p className={classes.reason}>{`Stopped by ${stop.by}: ${reason}`}</p>;
  return (
    <p className={classes.reason}>
      Stopped by <a href={`#alert-${stop.alert}`}>{stop.by}</a> at step {formatCount(stop.step)}
    </p>
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
      <dd>
        <span {...(exact && exactly(exact))}>{children}</span> {unit && <small>{unit}</small>}
      </dd>
    </div>
  );
}
