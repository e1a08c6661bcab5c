import type { Database } from '@evenkeel/db';
import { reads } from '../turns.ts';
import type { HttpStream } from './answer.ts';
import { NotFound } from './failure.ts';
import { findRun } from './find-run.ts';
import { jsonText } from './json-text.ts';
import { PARQUET_TYPE, writeParquet } from './parquet.ts';
import { writeRecording } from './recording.ts';
import { ROW_FORMATS } from './row-formats.ts';
import { readRunFacts } from './run-facts.ts';
import { openTable } from './step-table.ts';

/** The key of a Parquet file's metadata under which the run stands. */
const METADATA_KEY = 'evenkeel.run';

/** The formats of exported runs, by the ends of their files' names: `jsonl` is a recording. */
export const EXPORT_TYPES = { parquet: PARQUET_TYPE, csv: ROW_FORMATS.csv.type, jsonl: 'application/x-ndjson' };

export interface ExportRequest {
  run: string;
  /** Without it the timeline; in a recording every attempt. */
  attempt?: number | undefined;
  format: keyof typeof EXPORT_TYPES;
}

/**
 * A run as a file.
 * @throws NotFound where there is no such run or attempt.
 */
export async function openExport(db: Database, request: ExportRequest): Promise<HttpStream> {
  const { format, attempt } = request;
  const run = await reads(() => findRun(db, request.run));
  if (attempt !== undefined && !run.attempts.some(({ number }) => number === attempt))
    throw new NotFound(`the run has no attempt ${attempt}`);
  const file = { type: EXPORT_TYPES[format], filename: `${run.name}.${format}` };
  if (format === 'jsonl') return { ...file, pieces: writeRecording(db, run, attempt) };
  const table = await openTable(db, { run: run.id, attempt, keys: 'everything' });
  if (format === 'csv') return { ...file, pieces: ROW_FORMATS.csv.write(table) };
  const facts = await reads(() => readRunFacts(db, run.id));
  return { ...file, pieces: writeParquet(table, { [METADATA_KEY]: jsonText(facts) }) };
}
