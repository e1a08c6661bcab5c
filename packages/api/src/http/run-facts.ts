import { type Database, pageAlerts, pageCommands, pageHistory } from '@evenkeel/db';
import type { z } from 'zod';
import type { runFacts } from './answers.ts';
import { findRun } from './find-run.ts';

/** Rows of each list: the newest. */
const MAX_ROWS = 1_000;
const PAGE_ROWS = 200;

/**
 * What is known of a run besides its steps.
 * @throws NotFound where there is no such run.
 */
export async function readRunFacts(db: Database, run: string): Promise<z.input<typeof runFacts>> {
  const found = await findRun(db, run);
  const alerts = await newest((page) => pageAlerts(db, { ...page, run }));
  const commands = await newest((page) => pageCommands(db, { ...page, run }));
  const events = await newest((page) => pageHistory(db, { ...page, run }));
  const lists = { alerts, commands, events };
  const incomplete = (['alerts', 'commands', 'events'] as const).filter((name) => lists[name].hasMore);
  return { run: found, alerts: alerts.rows, commands: commands.rows, events: events.rows, incomplete };
}

interface Page<Row> {
  rows: Row[];
  nextCursor: string | null;
}

async function newest<Row>(
  read: (page: { limit: number; cursor: string | undefined }) => Promise<Page<Row>>,
): Promise<{ rows: Row[]; hasMore: boolean }> {
  const rows: Row[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await read({ limit: PAGE_ROWS, cursor: cursor ?? undefined });
    rows.push(...page.rows);
    cursor = page.nextCursor;
  } while (cursor !== null && rows.length < MAX_ROWS);
  return { rows, hasMore: cursor !== null };
}
