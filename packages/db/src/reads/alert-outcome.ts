import type { AlertOutcome } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import { alert, attempt, command, run } from '../tables/schema.ts';

// Of a row of `alert` that is joined with its `run`.

/** Where the run diverged, in the attempt of the alert or the first later one that did; null where none has. */
export const ONSET: SQL<number | null> = sql`(
  select own.onset from ${attempt} as own
  where own.run = ${alert.run} and own.number >= ${alert.attempt} and own.onset is not null
  order by own.number limit 1)`;

/** Whether the alert's attempt had diverged when it was raised: at the step of the onset, or behind it. */
export const LATE = sql<boolean>`exists (
  select from ${attempt} as own
  where own.run = ${alert.run} and own.number = ${alert.attempt} and own.onset <= ${alert.step})`;

/** Whether the run has steps that were not looked at for its onset. */
export const HAS_UNREAD = sql`exists (
  select from ${attempt} as own
  where own.run = ${run.id} and own.last_step is not null and own.last_step is distinct from own.onset_to)`;

const WAS_CHANGED = sql`exists (
  select from ${command} as given
  where given.run = ${alert.run} and given.attempt >= ${alert.attempt} and given.created_at >= ${alert.openedAt}
    and given.kind in ('stop', 'reduce-lr') and given.status = 'done')`;

/** Whether a later attempt trained again what the alert's attempt had, of which nothing shows what would have become. */
const WAS_REWOUND = sql`exists (
  select from ${attempt} as own join ${attempt} as later on later.run = own.run and later.number > own.number
  where own.run = ${alert.run} and own.number = ${alert.attempt} and own.status is distinct from 'finished'
    and later.first_step <= greatest(own.last_step, ${alert.step}))`;

/** See `ALERT_OUTCOMES` in the protocol. */
export const OUTCOME = sql<AlertOutcome>`case
  when ${ONSET} is not null then 'diverged'
  when ${run.status} = 'running' or ${HAS_UNREAD} then 'running'
  when ${run.status} = 'finished' and not ${WAS_CHANGED} and not ${WAS_REWOUND} then 'healthy'
  else 'unknown' end`;
