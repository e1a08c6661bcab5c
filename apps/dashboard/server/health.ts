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

/** A liveness probe may time out after one second and restart the process. */
const SOON_MS = 500;

/** Open to everybody: it shows nothing of any run. */
interface Health {
  isOk: boolean;
  /** As JSON; the reasons where it is not. */
  report: object;
}

/** Whether steps can be stored now. */
export async function readiness(checks: HealthChecks): Promise<Health> {
  return healthOf(checks, await checks.ready());
}

/** Goes by the process alone, and says beside it whether steps can be stored. */
export async function liveness(checks: HealthChecks): Promise<Health> {
  const asked = new AbortController();
  const silent: Readiness = { status: 'failing', reasons: ['the database does not answer'] };
  const late = setTimeout(SOON_MS, silent, { signal: asked.signal }).catch(() => silent);
  const { status, reasons } = await Promise.race([checks.ready(), late]);
  asked.abort();
  return healthOf(checks, { ...checks.live(), ready: { status, reasons } });
}

type Readiness = Pick<HealthReport, 'status' | 'reasons'>;

function healthOf({ version, database }: HealthChecks, health: HealthReport & { ready?: Readiness }): Health {
  const { status, reasons, ingest, ...more } = health;
  return { isOk: status === 'ok', report: { status, reasons, ...more, version, database, ingest } };
}
