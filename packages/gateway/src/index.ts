export { Gateway } from './gateway.ts';
export type { Log } from './log.ts';
