'use client';

import { useHotkeys, useViewportSize } from '@mantine/hooks';
import { useQueries, useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import { useQueryStates } from 'nuqs';
import { type CSSProperties, useMemo } from 'react';
import { formatCount } from '../../components/format.ts';
import { useNow } from '../../live/clock.ts';
import { useConnectionStatus, useLiveBoard } from '../../live/use-live.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { BOARD_PARAMS, boardAddress, boardRequest } from '../run/list-request.ts';
import { fitTiles, rankRuns } from './tiles.ts';
import { useWakeLock } from './wake-lock.ts';
import classes from './wall.module.css';
import { runningQuery, wallQueries } from './wall-queries.ts';
import { WallTile } from './wall-tile.tsx';

/** Until the browser has measured the size of its window. */
const SCREEN = { width: 1920, height: 1080 };
const FOOTER_HEIGHT = 40;

/** The riskiest runs on a big screen, for weeks and without a hand on the mouse. Escape leads back to the board. */
export function Wall() {
  const [params] = useQueryStates(BOARD_PARAMS);
  const request = useMemo(() => boardRequest(params), [params]);
  const trpc = useTRPC();
  const lists = useQueries({ queries: [...wallQueries(trpc, request)] });
  const running = useQuery(runningQuery(trpc, request)).data;
  const read = lists.flatMap(
    ({ data, dataUpdatedAt }) => data?.runs.map((run) => ({ ...run, readAt: dataUpdatedAt })) ?? [],
  );
  const ranked = rankRuns(read, Math.max(...lists.map(({ dataUpdatedAt }) => dataUpdatedAt)));
  const { width, height } = useViewportSize();
  const room = width > 0 ? { width, height: height - FOOTER_HEIGHT } : SCREEN;
  const { tiles, across } = fitTiles(ranked.length, room);
  const board = boardAddress('/', params);
  const router = useRouter();
  useLiveBoard((alerted) => ranked.find(({ id }) => id === alerted)?.name);
  useHotkeys([['Escape', () => router.push(board)]]);
  useWakeLock();
  return (
    <div className={classes.wall}>
      <h1 className={classes.title}>Runs at risk</h1>
      {tiles > 0 ? (
        <ul className={classes.tiles} style={{ '--across': across } as CSSProperties}>
          {ranked.slice(0, tiles).map((run) => (
            <WallTile key={run.id} base={run} readAt={run.readAt} />
          ))}
        </ul>
      ) : (
        <p className={classes.nothing}>
          {lists.every(({ data }) => data) ? 'No run is running.' : 'Reading the runs…'}
        </p>
      )}
      <footer className={classes.footer}>
        <span>
          {running !== undefined && `${formatCount(running)} running`}
          {ranked.length > tiles && `, the ${tiles} that matter most shown`}
        </span>
        <Link href={board}>Board (Esc)</Link>
        <Pulse />
      </footer>
    </div>
  );
}

/** Whether the wall is alive: its connection, and a clock that goes on. */
function Pulse() {
  const status = useConnectionStatus();
  const now = useNow();
  const lost = status === 'lost';
  return (
    <span className={classes.pulse} data-lost={lost}>
      {lost ? '◌ reconnecting…' : '● live'} <time>{now !== null && new Date(now).toTimeString().slice(0, 8)}</time>
    </span>
  );
}
