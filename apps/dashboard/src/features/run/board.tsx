'use client';

import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNow } from '../../live/clock.ts';
import { useLiveBoard } from '../../live/use-live.ts';
import { type RunSummary, useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import { Message } from '../shell/message.tsx';
import classes from './board.module.css';
import { BoardFilters } from './board-filters.tsx';
import { BoardRow } from './board-row.tsx';
import { GettingStarted } from './getting-started.tsx';
import { BOARD_LIMIT, readListRequest } from './list-request.ts';

export function Board() {
  const [params, setParams] = useUrlParams();
  const request = readListRequest(params);
  const runs = useQuery(useTRPC().run.list.queryOptions(request, { placeholderData: keepPreviousData }));
  useLiveBoard((alerted) => runs.data?.find(({ id }) => id === alerted)?.name);
  const filtered = request.search !== undefined || request.status !== undefined || request.project !== undefined;

  if (runs.isError && !runs.data) return <Unread error={runs.error.message} retry={() => runs.refetch()} />;
  if (runs.data?.length === 0 && !filtered) return <GettingStarted />;
  return (
    <>
      <div className={classes.heading}>
        <h1>Runs</h1>
        <BoardFilters />
      </div>
      {runs.data?.length !== 0 && <RunTable runs={runs.data ?? []} readAt={runs.dataUpdatedAt} />}
      {runs.data?.length === 0 && (
        <p className={classes.note}>
          No run matches.{' '}
          <Button
            variant="subtle"
            size="compact-sm"
            onClick={() => setParams({ q: null, status: null, project: null })}
          >
            Show all runs
          </Button>
        </p>
      )}
      {runs.data?.length === BOARD_LIMIT && (
        <p className={classes.note}>The newest {BOARD_LIMIT} runs; search to find older ones.</p>
      )}
    </>
  );
}

function RunTable({ runs, readAt }: { runs: readonly RunSummary[]; readAt: number }) {
  const now = useNow();
  const coarse = now === null ? null : Math.floor(now / 5_000) * 5_000;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard can scroll what a narrow screen cuts off
    <section className={classes.scroll} aria-label="Runs" tabIndex={0}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className={classes.minor}>
              Project
            </th>
            <th scope="col">Status</th>
            <th scope="col" className={classes.number}>
              Step
            </th>
            <th scope="col" className={`${classes.number} ${classes.minor}`}>
              Steps/s
            </th>
            <th scope="col" className={classes.number}>
              Loss <small className={classes.minor}>nats</small>
            </th>
            <th scope="col" className={`${classes.number} ${classes.minor}`}>
              <abbr title="Token Embedding Variability: mean over the vocabulary">TEV</abbr>
            </th>
            <th scope="col" className={classes.rest}>
              Open alerts
            </th>
            <th scope="col" className={classes.minor}>
              Owner
            </th>
            <th scope="col" className={`${classes.number} ${classes.minor}`}>
              Age
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <BoardRow key={run.id} base={run} readAt={readAt} now={coarse} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Unread({ error, retry }: { error: string; retry: () => void }) {
  return (
    <Message title="The runs could not be read" action={<Button onClick={retry}>Try again</Button>}>
      {error}. Training goes on; trainers keep what the server has not acknowledged.
    </Message>
  );
}
