import type { ConsoleStream } from '@evenkeel/protocol';
import { and, desc, eq, gt, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { consoleLine, consoleOutput } from '../tables/schema.ts';

/** The key of a line of a run's console output, in whose order lines are shown. */
interface ConsoleKey {
  attempt: number;
  /** Which of the clients of the run wrote it, from 0: each counts its lines by itself. */
  writer: number;
  line: number;
}

/** A line of a run's console output. */
export interface KeptConsoleLine extends ConsoleKey {
  /** Milliseconds since 1970. */
  time: number;
  stream: ConsoleStream;
  text: string;
  /** Characters that were cut off its end. */
  cut: number;
}

/** What {@link readConsole} returns. */
export interface Console {
  /** To be given as `after` to read what has changed since. */
  revision: number;
  /** How many lines the run has. */
  total: number;
  /** In order. */
  lines: KeptConsoleLine[];
  /** Whether there are more before them. */
  hasMore: boolean;
}

/** What of a run's console output to read. */
export interface ConsoleQuery {
  run: string;
  /** A revision: only lines that were stored or changed since. */
  after?: number | undefined;
  /** Only lines before this one. */
  before?: ConsoleKey | undefined;
  limit: number;
}

/** The last lines of a run's console output. */
export async function readConsole(db: Database, { run, after, before, limit }: ConsoleQuery): Promise<Console> {
  // First, so that lines which come meanwhile are read again rather than missed.
  const { revision, lines: total } = consoleOutput;
  const [output] = await db.sql.select({ revision, total }).from(consoleOutput).where(eq(consoleOutput.run, run));
  if (!output) return { revision: 0, total: 0, lines: [], hasMore: false };
  const isChanged = after === undefined ? undefined : gt(consoleLine.revision, after);
  const lines = await readLines(db, and(eq(consoleLine.run, run), isChanged, before && isBefore(before)), limit + 1);
  return { ...output, lines: lines.slice(-limit), hasMore: lines.length > limit };
}

function isBefore(key: ConsoleKey): SQL {
  const { attempt, writer, line } = consoleLine;
  return sql`(${attempt}, ${writer}, ${line}) < (${key.attempt}::integer, ${key.writer}::integer, ${key.line}::bigint)`;
}

async function readLines(db: Database, where: SQL | undefined, limit: number): Promise<KeptConsoleLine[]> {
  const { attempt, writer, line, time, stream, text, cut } = consoleLine;
  const rows = await db.sql
    .select({ attempt, writer, line, time, stream, text, cut })
    .from(consoleLine)
    .where(where)
    .orderBy(desc(attempt), desc(writer), desc(line))
    .limit(limit);
  return rows.reverse().map((row) => ({ ...row, time: row.time.getTime() }));
}
