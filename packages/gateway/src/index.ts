export { Gateway } from './gateway.ts';
export type { HealthReport } from './health.ts';
export type { Log } from './log.ts';
