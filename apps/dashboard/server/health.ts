import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
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

/** Who asks whether the process lives may wait for a second only, and would restart it if that ran out. */
const SOON_MS = 500;

/** 200, or 503 with the reasons. Open to everybody: it shows nothing of any run. */
export async function replyHealth(checks: HealthChecks, path: string, response: ServerResponse): Promise<void> {
  const { status, reasons, ingest, ...more } = path === '/readyz' ? await checks.ready() : await liveness(checks);
  const { version, database } = checks;
  response.writeHead(status === 'ok' ? 200 : 503, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify({ status, reasons, ...more, version, database, ingest }));
}

type Readiness = Pick<HealthReport, 'status' | 'reasons'>;

/** It goes by the process alone, and says beside it whether steps can be stored. */
async function liveness({ live, ready }: HealthChecks): Promise<HealthReport & { ready: Readiness }> {
  const asked = new AbortController();
  const silent: Readiness = { status: 'failing', reasons: ['the database does not answer'] };
  const late = setTimeout(SOON_MS, silent, { signal: asked.signal }).catch(() => silent);
  const { status, reasons } = await Promise.race([ready(), late]);
  asked.abort();
  return { ...live(), ready: { status, reasons } };
}
