import { type ClientRun, type Database, readStoredSteps } from '@evenkeel/db';
import { jsonNumber } from '@evenkeel/protocol';
import { columnsOf } from './names.ts';

interface HistoryQuery {
  key: string;
  /** Null for all values. */
  maxResults: number | null;
  /** The step to go on from: the token of the answer before. */
  from: number | undefined;
}

/**
 * The answer with all values of a metric, in pieces of its text: in the order of their steps, without those that a later
 * attempt superseded.
 */
export async function* metricHistory(
  db: Database,
  run: ClientRun,
  { key, maxResults, from }: HistoryQuery,
): AsyncGenerator<string> {
  const columns = columnsOf(run.names, key);
  let separator = '{"metrics":[';
  let room = maxResults ?? Number.POSITIVE_INFINITY;
  for await (const rows of readStoredSteps(db, { run: run.id, columns, from })) {
    const texts: string[] = [];
    for (const { step, time, values } of rows) {
      const value = values.find((each) => typeof each === 'number');
      if (value === undefined) continue;
      if (room === 0) return yield `${lead(separator, texts)}],"next_page_token":"${step}"}`;
      room -= 1;
      texts.push(JSON.stringify({ key, value: jsonNumber(value as number), timestamp: Math.round(time), step }));
    }
    if (texts.length === 0) continue;
    yield lead(separator, texts);
    separator = ',';
  }
  yield separator === ',' ? ']}' : `${separator}]}`;
}

function lead(separator: string, texts: readonly string[]): string {
  if (texts.length > 0) return separator + texts.join(',');
  return separator === ',' ? '' : separator;
}
