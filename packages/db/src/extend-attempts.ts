import type { StepEvent } from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import { arrayOf, INT4, INT8, UUID } from './array-wire.ts';
import type { Sql } from './database.ts';
import { attempt, STALE_SPAN } from './schema.ts';
import { floorTo } from './timeline.ts';

/** Beyond, all rollups from the first stale bucket on are made again, since reading around each costs more. */
const MAX_STALE = 256;

/** Steps of one attempt, the last of each number. */
export interface AttemptSteps {
  run: string;
  attempt: number;
  steps: Map<number, StepEvent>;
}

/**
 * Moves the bounds of attempts to new steps, and calls the buckets stale that are rolled up and hold other steps now:
 * in the transaction that stores these, and of what is rolled up when the update has the lock.
 */
export async function extendAttempts(tx: Sql, merged: readonly AttemptSteps[]): Promise<void> {
  const touched = merged.flatMap(touchedBuckets);
  await tx.execute(sql`
    update ${attempt} set
      first_step = least(first_step, first),
      last_step = greatest(last_step, last),
      (stale, rolled_to) = (
        select
          case when cardinality(late) > ${MAX_STALE}::int4 then '{}' else late end,
          case when cardinality(late) > ${MAX_STALE}::int4 then late[1] else rolled_to end
        from (select array(
          select distinct bucket from unnest(stale || buckets) as bucket where bucket < rolled_to order by bucket
        ) as late) as changed
      )
    from (
      select run, number, min(first) as first, max(last) as last, array_agg(bucket) as buckets
      from unnest(
        ${arrayOf(
          UUID,
          touched.map(({ run }) => run),
        )}::uuid[],
        ${arrayOf(
          INT4,
          touched.map(({ attempt }) => attempt),
        )}::int4[],
        ${arrayOf(
          INT8,
          touched.map(({ bucket }) => bucket),
        )}::int8[],
        ${arrayOf(
          INT8,
          touched.map(({ first }) => first),
        )}::int8[],
        ${arrayOf(
          INT8,
          touched.map(({ last }) => last),
        )}::int8[]
      ) as touched (run, number, bucket, first, last)
      group by run, number
    ) as stored
    where attempt.run = stored.run and attempt.number = stored.number`);
}

interface TouchedBucket {
  run: string;
  attempt: number;
  bucket: number;
  /** The first and the last of the steps that it gets. */
  first: number;
  last: number;
}

function touchedBuckets({ run, attempt, steps }: AttemptSteps): TouchedBucket[] {
  const buckets = new Map<number, TouchedBucket>();
  for (const step of steps.keys()) {
    const bucket = floorTo(step, STALE_SPAN);
    const { first, last } = buckets.get(bucket) ?? { first: step, last: step };
    buckets.set(bucket, { run, attempt, bucket, first: Math.min(first, step), last: Math.max(last, step) });
  }
  return [...buckets.values()];
}
