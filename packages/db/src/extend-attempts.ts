import type { StepEvent } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import { arrayOf, INT4, INT8, UUID } from './array-wire.ts';
import type { Sql } from './database.ts';
import { attempt, STALE_SPAN } from './schema.ts';
import { floorTo } from './timeline.ts';

/**
 * Beyond, all rollups from the first stale bucket on are made again, since reading around each costs more. What is being
 * built then is given up: it may begin behind that.
 */
const MAX_STALE = 256;

/** Steps of one attempt, the last of each number. */
export interface AttemptSteps {
  run: string;
  attempt: number;
  steps: Map<number, StepEvent>;
}

/**
 * Moves the bounds of attempts to new steps, and calls the spans stale that are rolled up, or just being rolled up, and
 * hold other steps now: in the transaction that stores these, and of what is rolled up when the update has the lock.
 */
export async function extendAttempts(tx: Sql, merged: readonly AttemptSteps[]): Promise<void> {
  const touched = merged.flatMap(touchedBuckets);
  const isTooMuch = sql`cardinality(late) > ${MAX_STALE}::int4`;
  await tx.execute(sql`
    update ${attempt} set
      first_step = least(first_step, first),
      last_step = greatest(last_step, last),
      (stale, changed, rolled_to, build) = (
        select
          case when ${isTooMuch} then '{}' else late end,
          case when ${isTooMuch} then '{}' else changed_now end,
          case when ${isTooMuch} then least(late[1], rolled_to) else rolled_to end,
          case when ${isTooMuch} then build + 1 else build end
        from (select ${bucketsBelow(sql`stale || buckets`)} as late, ${bucketsBelow(sql`changed || buckets`)} as changed_now)
          as changes
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

/** In order, once each, as far as rows of them are built or being built. */
function bucketsBelow(buckets: SQL): SQL {
  return sql`array(
    select distinct bucket from unnest(${buckets}) as bucket where bucket < greatest(rolled_to, rolling_to) order by bucket)`;
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
