import { type ConsoleLine, MAX_KEPT_CONSOLE_LINES, RefusedError, type RunConsole } from '@evenkeel/protocol';
import { and, eq, sql } from 'drizzle-orm';
import { type Database, onlyRow, type Sql } from '../database.ts';
import { attempt as attemptTable, consoleLine, consoleOutput } from '../tables/schema.ts';

/** Lines beyond those that are kept which a run may have before they are deleted, all at once. */
const SLACK = 1_000;
/** Of those who write without a session: they are one. */
const NO_SESSION = '00000000-0000-0000-0000-000000000000';

type Sessions = (string | null)[];

/**
 * Stores lines of a run's console output. One that was stored before gets its newest text; those that were stored longest
 * ago are deleted beyond those that are kept, whichever attempt or client wrote them.
 * @param session of the client, which counts the lines; null for one without.
 * @throws RefusedError where there is no such run or attempt.
 */
export async function appendConsole(
  db: Database,
  { run, attempt, lines }: RunConsole,
  session: string | null,
): Promise<void> {
  await db.sql.transaction(async (tx) => {
    await checkAttempt(tx, run, attempt);
    const output = await nextRevision(tx, run);
    const { sessions, writer } = withWriter(output.sessions, session ?? NO_SESSION);
    const added = await upsert(tx, lines, { run, attempt, writer, revision: output.revision });
    const total = output.lines + added;
    const isOver = total > MAX_KEPT_CONSOLE_LINES + SLACK;
    const now = isOver ? await withoutOldest(tx, run, { sessions, lines: total }) : { sessions, lines: total };
    await tx.update(consoleOutput).set(now).where(eq(consoleOutput.run, run));
  });
}

/** Without a lock: attempts are never deleted alone, and the first line of a run that was deleted has no run to refer to. */
async function checkAttempt(tx: Sql, id: string, number: number): Promise<void> {
  const { run, number: ofRun } = attemptTable;
  const [found] = await tx
    .select({ number: ofRun })
    .from(attemptTable)
    .where(and(eq(run, id), eq(ofRun, number)));
  if (!found) throw new RefusedError('attempt', 'the run has no such attempt');
}

async function nextRevision(tx: Sql, run: string) {
  const { revision, sessions, lines } = consoleOutput;
  const rows = await tx
    .insert(consoleOutput)
    .values({ run, revision: 1, sessions: [], lines: 0 })
    .onConflictDoUpdate({ target: consoleOutput.run, set: { revision: sql`${revision} + 1` } })
    .returning({ revision, sessions, lines });
  return onlyRow(rows);
}

function withWriter(sessions: Sessions, session: string): { sessions: Sessions; writer: number } {
  const known = sessions.indexOf(session);
  if (known >= 0) return { sessions: [...sessions], writer: known };
  return { sessions: [...sessions, session], writer: sessions.length };
}

/** @returns how many of the lines are new. */
async function upsert(
  tx: Sql,
  lines: readonly ConsoleLine[],
  { run, attempt, writer, revision }: { run: string; attempt: number; writer: number; revision: number },
): Promise<number> {
  const newest = [...new Map(lines.map((line) => [line.line, line])).values()];
  const { rows } = await tx.execute<{ added: string }>(sql`
    with stored as (
      insert into ${consoleLine} (run, attempt, writer, line, time, stream, text, cut, revision)
      select ${run}::uuid, ${attempt}::integer, ${writer}::integer, line, to_timestamp(time / 1000), stream, text, cut,
        ${revision}::bigint
      from json_to_recordset(${JSON.stringify(newest)}::json)
        as sent (line bigint, time double precision, stream text, text text, cut bigint)
      on conflict (run, attempt, writer, line) do update set time = excluded.time, stream = excluded.stream,
        text = excluded.text, cut = excluded.cut, revision = excluded.revision
      returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new) as added from stored`);
  return Number(onlyRow(rows).added);
}

/** Deletes the oldest lines, and forgets who has none left: a job may restart more often than its lines are many. */
async function withoutOldest(tx: Sql, run: string, { sessions, lines }: { sessions: Sessions; lines: number }) {
  const deleted = await deleteOldest(tx, run);
  const rows = await tx
    .selectDistinct({ writer: consoleLine.writer })
    .from(consoleLine)
    .where(eq(consoleLine.run, run));
  const left = new Set(rows.map(({ writer }) => writer));
  return { sessions: sessions.map((session, at) => (left.has(at) ? session : null)), lines: lines - deleted };
}

/** @returns how many lines were deleted. */
async function deleteOldest(tx: Sql, run: string): Promise<number> {
  const { rows } = await tx.execute<{ deleted: string }>(sql`
    with deleted as (
      delete from ${consoleLine}
      where run = ${run} and (revision, attempt, writer, line) < (
        select revision, attempt, writer, line from ${consoleLine} where run = ${run}
        order by revision desc, attempt desc, writer desc, line desc offset ${MAX_KEPT_CONSOLE_LINES - 1} limit 1
      )
      returning 1
    )
    select count(*) as deleted from deleted`);
  return Number(onlyRow(rows).deleted);
}
