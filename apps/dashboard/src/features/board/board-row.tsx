'use client';

import { writePath } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import Link from 'next/link';
import { memo, type ReactNode } from 'react';
import { exactly } from '../../components/exact.ts';
import { formatCount, formatDuration, formatExact, formatInstant, formatNumber } from '../../components/format.ts';
import { paceOf, withLive } from '../../live/board.ts';
import { useLiveRun } from '../../live/use-live.ts';
import type { RunSummary } from '../../trpc/client.tsx';
import { AlertMark } from '../alert/alert-mark.tsx';
import { CompareBox } from '../compare/compare-box.tsx';
import { RiskGauge } from '../run/risk-gauge.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import { Sparkline } from '../run/sparkline.tsx';
import { useSparklines } from '../run/use-sparklines.ts';
import classes from './board.module.css';
import { BOARD_COLUMNS, type BoardColumn } from './board-columns.ts';
import type { BoardGroup } from './board-layout.ts';

interface Props {
  /** Number in the list. */
  number: number;
  /** Counted from 1, the head of the table and the headings of groups among them. */
  row: number;
  /** The one that the Tab key comes to. */
  active: boolean;
  base: RunSummary;
  /** When `base` was read. */
  readAt: number;
  /** Coarse, so that a quiet row is not drawn again every second; null on the server. */
  now: number | null;
}

export const BoardRow = memo(function BoardRow({ number, row, active, base, readAt, now }: Props) {
  const live = useLiveRun(base.id);
  const run = withLive(base, readAt, live);
  const sparklines = useSparklines(run);
  const pace = now === null ? null : paceOf(live, Math.max(now, live?.at ?? 0));
  return (
    <tr data-number={number} data-run={run.id} aria-rowindex={row}>
      <th scope="row" data-column="name" title={run.name}>
        <CompareBox id={run.id} name={run.name} />
        <Link href={`/runs/${run.id}`} prefetch={false} tabIndex={active ? 0 : -1}>
          {run.name}
        </Link>
      </th>
      <Cell of="project" title={run.project}>
        {run.project}
      </Cell>
      <Cell of="status" title={run.reason ?? undefined}>
        <RunStatusMark status={run.status} />
      </Cell>
      <Cell of="step">{formatCount(run.lastStep)}</Cell>
      <Cell of="pace" title={pace === null ? undefined : `${formatExact(pace)} steps a second`}>
        {formatNumber(pace)}
      </Cell>
      <Measured of="loss" value={run.loss} values={sparklines.loss} />
      <Measured of="tev" value={run.tevMean} values={sparklines.tev} />
      <Cell of="risk">
        <RiskGauge run={run} />
      </Cell>
      <Cell of="alerts" title={run.openAlerts.map(({ rule, step }) => `${rule} at step ${step}`).join(', ')}>
        <span className={classes.alerts}>
          {run.openAlerts.map((alert) => (
            <AlertMark key={alert.rule} alert={alert} />
          ))}
        </span>
      </Cell>
      <Cell of="owner" title={run.owner ?? undefined}>
        {run.owner}
      </Cell>
      <Cell of="age" title={`started ${formatInstant(run.startedAt)}`}>
        {now !== null && formatDuration(now - run.startedAt.getTime())}
      </Cell>
    </tr>
  );
});

interface CellProps {
  of: BoardColumn['name'];
  title?: string | undefined;
  children: ReactNode;
}

function Cell({ of, title, children }: CellProps) {
  return (
    <td data-column={of} title={title}>
      {children}
    </td>
  );
}

interface MeasuredProps {
  of: 'loss' | 'tev';
  value: number | null;
  values: readonly number[];
}

function Measured({ of, value, values }: MeasuredProps) {
  return (
    <Cell of={of}>
      <span className={classes.measured} data-finite={value === null || Number.isFinite(value)}>
        <Sparkline values={values} />
        <span {...exactly(formatExact(value))}>{formatNumber(value)}</span>
      </span>
    </Cell>
  );
}

interface UnreadProps {
  row: number;
  failed: boolean;
  retry: () => void;
}

/** Where a run will stand once it has been read. */
export function UnreadRow({ row, failed, retry }: UnreadProps) {
  return (
    <tr aria-rowindex={row} aria-busy={!failed}>
      <td data-column="name" className={classes.unread}>
        <span>{failed ? 'could not be read ' : 'reading…'}</span>
        {failed && (
          <Button variant="subtle" size="compact-xs" onClick={retry}>
            Try again
          </Button>
        )}
      </td>
      <EmptyCells />
    </tr>
  );
}

/** Above the runs that have a value of the configuration in common. */
export function GroupHeading({ group, by, row }: { group: BoardGroup; by: readonly string[]; row: number }) {
  const key = writePath(by);
  return (
    <tr aria-rowindex={row} className={classes.group}>
      <th scope="rowgroup" data-column="name">
        <span>
          {group.isRest ? `other ${key}` : group.value === null ? `no ${key}` : `${key} = ${group.value}`}{' '}
          <small>
            {formatCount(group.runs)} {group.runs === 1 ? 'run' : 'runs'}
          </small>
        </span>
      </th>
      <EmptyCells />
    </tr>
  );
}

/** All but the first of a row that has nothing to say in columns: a spanning cell would span hidden columns, too. */
function EmptyCells() {
  return BOARD_COLUMNS.slice(1).map(({ name }) => <td key={name} data-column={name} />);
}
