export type * from './public.ts';
export { startRun } from './start-run.ts';
export { syncSpool } from './sync-spool.ts';
export { uuidv7 } from './uuid.ts';
