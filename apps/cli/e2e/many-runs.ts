import { openDatabase } from '@evenkeel/db';
import { storeRunRows } from '../src/bench-load/fill.ts';

/** A data directory with so many runs, as {@link storeRunRows} has them. */
export async function storeRuns(dataDir: string, count: number): Promise<void> {
  await using db = await openDatabase({ dataDir });
  await storeRunRows(db, count);
}
