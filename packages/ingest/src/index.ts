export type { IngestContext, Sender } from './context.ts';
export { LocalEventPort } from './event-port.ts';
export type { HealthReport } from './health.ts';
export { Ingest } from './ingest.ts';
export type { Log } from './log.ts';
export type { NewPolledRun, PolledDescription, PolledRow, PolledRun } from './polled-run.ts';
export { PolledRuns } from './polled-runs.ts';
export type { Readers } from './readers.ts';
