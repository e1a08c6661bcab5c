'use client';

import { Button } from '@mantine/core';
import { useQueryState } from 'nuqs';
import classes from './compare.module.css';
import { type AskedRuns, MAX_RUNS, RUNS_PARAMS } from './compare-params.ts';
import type { Failed } from './use-compared.ts';

/** What of the address is not compared, and why; the rest is. */
export function Notices({ asked, failed }: { asked: AskedRuns; failed: readonly Failed[] }) {
  const [, setRuns] = useQueryState('runs', RUNS_PARAMS.runs);
  const missing = failed.filter(({ isMissing }) => isMissing);
  const unread = failed.filter(({ isMissing }) => !isMissing);
  const isWrong = asked.malformed.length > 0 || asked.beyond > 0 || missing.length > 0;
  if (!isWrong && unread.length === 0) return null;
  const kept = asked.ids.filter((id) => !missing.some((gone) => gone.id === id));
  return (
    <div role="status" className={classes.notices}>
      {asked.malformed.map((text) => (
        <p key={text}>“{text}” is not the id of a run.</p>
      ))}
      {missing.map(({ id }) => (
        <p key={id}>There is no run {id}: it may have been deleted.</p>
      ))}
      {asked.beyond > 0 && (
        <p>
          Only the first {MAX_RUNS} runs are compared; {asked.beyond} more {asked.beyond === 1 ? 'is' : 'are'} left out.
        </p>
      )}
      {isWrong && (
        <Button size="compact-xs" variant="default" onClick={() => setRuns(kept)}>
          Remove what is left out from the address
        </Button>
      )}
      {unread.map(({ id, message, retry }) => (
        <p key={id}>
          Run {id} could not be read: {message}.{' '}
          <Button size="compact-xs" variant="default" onClick={retry}>
            Try again
          </Button>
        </p>
      ))}
    </div>
  );
}
