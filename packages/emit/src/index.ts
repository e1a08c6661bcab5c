export type * from './public.ts';
export { startRun } from './start-run.ts';
export { uuidv7 } from './uuid.ts';
