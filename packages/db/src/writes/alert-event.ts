import type { Alert, AlertChange } from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { alertEvent } from '../tables/schema.ts';

/** When alerts were changed, and who did it; null where the server did, or unknown. */
export interface ChangedBy {
  at: Date;
  by: string | null;
}

/** Changes alerts and records what changed, both or neither. */
export async function changeAlerts(
  db: Database,
  change: AlertChange,
  changedBy: ChangedBy,
  update: (tx: Sql) => Promise<Alert[]>,
): Promise<Alert[]> {
  return db.sql.transaction(async (tx) => {
    const changed = await update(tx);
    await recordChange(tx, change, changedBy, changed);
    return changed;
  });
}

/**
 * Writes a row for each alert as it became, in the transaction that changes it. One parameter holds them all, since
 * rules that are switched off may resolve any number.
 */
export async function recordChange(
  tx: Sql,
  change: AlertChange,
  { at, by }: ChangedBy,
  changed: readonly Alert[],
): Promise<void> {
  if (changed.length === 0) return;
  await tx.execute(sql`
    insert into ${alertEvent} (run, alert, kind, attempt, at, by, payload)
    select (payload->>'run')::uuid, (payload->>'id')::uuid, ${change}::text, (payload->>'attempt')::int4,
      ${at.toISOString()}::timestamptz, ${by}::text, payload
    from jsonb_array_elements(${JSON.stringify(changed)}::jsonb) as payload`);
}
