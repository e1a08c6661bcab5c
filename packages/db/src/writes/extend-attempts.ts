import type { StepEvent } from '@evenkeel/protocol';
import { extendBounds, type StepBounds } from '@evenkeel/stability';
import { type SQL, sql } from 'drizzle-orm';
import type { Sql } from '../database.ts';
import { arrayOf, INT4, INT8, UUID } from '../drivers/array-wire.ts';
import { floorTo } from '../reads/timeline.ts';
import { attempt, STALE_SPAN } from '../tables/schema.ts';

/**
 * Beyond, all rollups from the first stale bucket on are made again, since reading around each costs more. What is being
 * built then is given up: it may begin behind that.
 */
const MAX_STALE = 256;

/** Steps of one attempt, by number, and the reports that they were merged from. */
export interface AttemptSteps {
  run: string;
  attempt: number;
  steps: Map<number, StepEvent>;
  reports: StepEvent[];
}

/** Where the steps of an attempt lie, and which of them do not count. */
export interface AttemptBounds extends StepBounds {
  /** Steps that a person has removed. */
  removed: readonly number[];
}

/** Steps that an attempt gets, and its bounds before and after. */
export interface ExtendedAttempt extends AttemptSteps {
  before: AttemptBounds;
  bounds: AttemptBounds;
}

export function extended(added: AttemptSteps, before: AttemptBounds): ExtendedAttempt {
  const { removed } = before;
  return { ...added, before, bounds: { ...extendBounds(before, [...added.steps.keys()], removed), removed } };
}

/**
 * Moves the bounds of attempts to new steps, and calls the spans stale that are rolled up, or just being rolled up, and
 * hold other steps now: in the transaction that stores these, and of what is rolled up when the update has the lock.
 */
export async function extendAttempts(tx: Sql, attempts: readonly ExtendedAttempt[]): Promise<void> {
  const touched = attempts.flatMap(touchedBuckets);
  const isTooMuch = sql`cardinality(late) > ${MAX_STALE}::int4`;
  await tx.execute(sql`
    update ${attempt} set
      first_step = first,
      last_step = last,
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
      select run, number, first, last, array_agg(bucket) as buckets
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
      group by run, number, first, last
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
  /** Bounds of the attempt. */
  first: number | null;
  last: number | null;
}

function touchedBuckets({ run, attempt, steps, bounds: { first, last } }: ExtendedAttempt): TouchedBucket[] {
  const buckets = new Set(Array.from(steps.keys(), (step) => floorTo(step, STALE_SPAN)));
  return Array.from(buckets, (bucket) => ({ run, attempt, bucket, first, last }));
}
