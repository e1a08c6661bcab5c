import { type Database, getRun, type RunDetail } from '@evenkeel/db';
import { NotFound } from './failure.ts';

/** @throws NotFound where there is no such run. */
export async function findRun(db: Database, id: string): Promise<RunDetail> {
  const found = await getRun(db, id);
  if (!found) throw new NotFound(`there is no run ${id}`);
  return found;
}
