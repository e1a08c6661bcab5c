export { Gateway, type GatewayOptions } from './gateway.ts';
export type { Log } from './log.ts';
