import type { ServerResponse } from 'node:http';
import type { Database } from '@evenkeel/db';
import type { HealthReport } from '@evenkeel/ingest';

export interface HealthChecks {
  version: string;
  database: Database['kind'];
  /** Whether the process is worth keeping alive. */
  live(): HealthReport;
  /** Whether steps can be stored now. */
  ready(): Promise<HealthReport>;
}

export const HEALTH_PATHS: readonly string[] = ['/healthz', '/readyz'];

/** 200, or 503 with the reasons. Open to everybody: it shows nothing of any run. */
export async function replyHealth(
  { version, database, live, ready }: HealthChecks,
  path: string,
  response: ServerResponse,
): Promise<void> {
  const { status, reasons, ingest } = path === '/readyz' ? await ready() : live();
  response.writeHead(status === 'ok' ? 200 : 503, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify({ status, reasons, version, database, ingest }));
}
