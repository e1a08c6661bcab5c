import { sql } from 'drizzle-orm';
import { type Database, tellCause } from './database.ts';

const ANSWER_WITHIN_MS = 2_000;

/** Rejects where the database is gone, or does not answer within two seconds. */
export function pingDatabase(db: Database): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the database does not answer')), ANSWER_WITHIN_MS);
    const answer = db.sql.execute(sql`select 1`).catch(tellCause);
    answer.finally(() => clearTimeout(timer)).then(() => resolve(), reject);
  });
}
