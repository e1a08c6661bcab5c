import { randomUUID } from 'node:crypto';
import {
  type IngestHandshake,
  ingestHandshake,
  type Policy,
  PROTOCOL_VERSION,
  parse,
  RefusedError,
  type StartRequest,
  startRequest,
  tagNumber,
} from '@evenkeel/protocol';
import manifest from '../package.json' with { type: 'json' };
import { TIMING, type Timing } from './connection.ts';
import { sendLeftBehind } from './left-behind.ts';
import { OUTBOX_LIMITS, type OutboxLimits } from './outbox.ts';
import type { CommandHandler, Run, StartRunOptions } from './public.ts';
import { LiveRun } from './run.ts';
import { SPOOL_TUNING, type SpoolTuning } from './spool.ts';
import { spoolFolder } from './spool-folder.ts';
import { uuidv7 } from './uuid.ts';
import { warnWithCount } from './warn.ts';

/** How much a run keeps and how long it waits; tests have less time than a trainer. */
interface Tuning {
  limits: OutboxLimits;
  timing: Timing;
  spool: SpoolTuning;
}

/**
 * Starts recording a run, or the next attempt of one. Resolves at once, whether the server is there or not.
 * @throws TypeError naming the option that is wrong.
 */
export async function startRun(options: StartRunOptions): Promise<Run> {
  return openRun(options, { limits: OUTBOX_LIMITS, timing: TIMING, spool: SPOOL_TUNING });
}

export function openRun(options: StartRunOptions, tuning: Tuning): LiveRun {
  try {
    if (typeof options !== 'object' || options === null) throw new RefusedError('options', 'must be an object');
    const { onWarning = defaultWarning } = options;
    if (typeof onWarning !== 'function') throw new RefusedError('onWarning', 'must be a function');
    const start = describe(options);
    const server = serverAddress(options.server);
    const handshake = handshakeOf(options.key);
    const onCommand = commandHandler(options.onCommand, start.policy);
    const folder = spoolFolder(options.spool);
    const handleExit = flag('handleExit', options.handleExit ?? true);
    const warn = warnWithCount(onWarning);
    const run = new LiveRun({ server, handshake, start, warn, onCommand, folder, handleExit, ...tuning });
    run.connect(sendLeftBehind({ folder, server, handshake, run: start.run, warn, timing: tuning.timing }));
    return run;
  } catch (error) {
    throw optionError('startRun', error);
  }
}

/** What is thrown at a caller for an option that is wrong; other errors as they are. */
export function optionError(caller: string, error: unknown): unknown {
  if (!(error instanceof RefusedError)) return error;
  const field = error.field === 'run' ? 'id' : error.field;
  return new TypeError(`${caller}: ${field}: ${error.message}`, { cause: error });
}

/** @throws RefusedError where the key is none. */
export function handshakeOf(key: unknown): IngestHandshake {
  return parse(ingestHandshake, { protocol: PROTOCOL_VERSION, client: `evenkeel-emit/${manifest.version}`, key });
}

function flag(field: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new RefusedError(field, 'must be true or false');
  return value;
}

function describe(options: StartRunOptions): StartRequest {
  const { id = uuidv7(Date.now()), attempt = 1, startedAt = Date.now() } = options;
  const { project, name, owner, tags, notes, layers, policy, mapNames } = options;
  const config = asJson(options.config);
  const session = randomUUID(); // so that a reconnection, or who sends the spool, opens no other attempt
  const about = { project, name, config, owner, tags, notes, layers, policy, mapNames };
  return parse(startRequest, { run: id, attempt, session, startedAt, ...about });
}

function commandHandler(handler: CommandHandler | undefined, policy: Policy): CommandHandler | null {
  if (handler !== undefined && typeof handler !== 'function') throw new RefusedError('onCommand', 'must be a function');
  const needing = Object.values(policy).find(({ kind }) => kind === 'checkpoint' || kind === 'reduce-lr');
  if (needing && !handler) throw new RefusedError('policy', `${needing.kind} needs onCommand, which carries it out`);
  return handler ?? null;
}

function asJson(config: unknown): unknown {
  try {
    return config === undefined ? undefined : JSON.parse(JSON.stringify(config, tagNumber) ?? 'null');
  } catch (error) {
    throw new RefusedError('config', error instanceof Error ? error.message : 'cannot be written as JSON');
  }
}

/** @throws RefusedError where it is no address. */
export function serverAddress(server: unknown): URL {
  const address = server instanceof URL ? server.href : server;
  const url = typeof address === 'string' && URL.canParse(address) ? new URL(address) : null;
  if (url && /^(http|ws)s?:$/.test(url.protocol)) return url;
  throw new RefusedError('server', 'must be an address such as http://127.0.0.1:4870');
}

function defaultWarning(message: string): void {
  console.warn(`evenkeel: ${message}`);
}
