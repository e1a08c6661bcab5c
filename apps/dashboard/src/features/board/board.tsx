'use client';

import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useQueryStates } from 'nuqs';
import { useMemo } from 'react';
import { formatCount } from '../../components/format.ts';
import { Message } from '../../components/message.tsx';
import { useLiveBoard } from '../../live/use-live.ts';
import { type RunSummary, useTRPC } from '../../trpc/client.tsx';
import { CompareMarked } from '../compare/compare-marked.tsx';
import { BOARD_PARAMS, type BoardRequest, boardRequest, FILTER_PARAMS, isNarrowed } from '../run/list-request.ts';
import classes from './board.module.css';
import { BoardFilters } from './board-filters.tsx';
import { useShownRequest } from './board-runs.ts';
import { BoardTable } from './board-table.tsx';
import { BoardViews } from './board-views.tsx';
import { GettingStarted } from './getting-started.tsx';

export function Board() {
  const [params] = useQueryStates(BOARD_PARAMS);
  const wanted = useMemo(() => boardRequest(params), [params]);
  const { shown, layout, busy, error, retry } = useShownRequest(wanted);
  useLiveBoard(useNameOf());
  if (layout?.runs === 0 && !isNarrowed(shown)) return <GettingStarted />;
  return (
    <div className={classes.board}>
      <div className={classes.heading}>
        <h1>Runs</h1>
        <span className={classes.count}>{layout && formatCount(layout.runs)}</span>
        <BoardViews />
        <CompareMarked />
      </div>
      <BoardFilters request={wanted} />
      {error && busy ? <Unread error={error.message} retry={retry} /> : <Runs {...{ request: shown, layout, busy }} />}
    </div>
  );
}

interface RunsProps {
  request: BoardRequest;
  layout: ReturnType<typeof useShownRequest>['layout'];
  busy: boolean;
}

function Runs({ request, layout, busy }: RunsProps) {
  const [, setFilters] = useQueryStates(FILTER_PARAMS);
  if (!layout) return <p className={classes.note}>Reading the runs…</p>;
  if (layout.runs > 0) return <BoardTable {...{ request, layout, busy }} />;
  return (
    <p className={classes.note}>
      No run matches.{' '}
      <Button variant="subtle" size="compact-sm" onClick={() => setFilters(null)}>
        Show all runs
      </Button>
    </p>
  );
}

/** Names the runs of which any list has been read. */
function useNameOf(): (run: string) => string | undefined {
  const trpc = useTRPC();
  const queries = useQueryClient();
  return (run) => {
    const lists = queries.getQueriesData<{ runs: RunSummary[] }>(trpc.run.list.pathFilter());
    return lists.flatMap(([, list]) => list?.runs ?? []).find(({ id }) => id === run)?.name;
  };
}

function Unread({ error, retry }: { error: string; retry: () => void }) {
  return (
    <Message title="The runs could not be read" action={<Button onClick={retry}>Try again</Button>}>
      {error}. Training goes on; trainers keep what the server has not acknowledged.
    </Message>
  );
}
