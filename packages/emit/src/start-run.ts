import {
  ingestHandshake,
  type Policy,
  PROTOCOL_VERSION,
  parse,
  RefusedError,
  type RunStart,
  runStart,
} from '@evenkeel/protocol';
import manifest from '../package.json' with { type: 'json' };
import { TIMING, type Timing } from './connection.ts';
import { OUTBOX_LIMITS, type OutboxLimits } from './outbox.ts';
import type { CommandHandler, Run, StartRunOptions } from './public.ts';
import { LiveRun } from './run.ts';
import { uuidv7 } from './uuid.ts';
import { warnWithCount } from './warn.ts';

/** How much a run keeps and how long it waits; tests have less time than a trainer. */
interface Tuning {
  limits: OutboxLimits;
  timing: Timing;
}

/**
 * Starts recording a run, or the next attempt of one. Resolves at once, whether the server is there or not.
 * @throws TypeError naming the option that is wrong.
 */
export async function startRun(options: StartRunOptions): Promise<Run> {
  return openRun(options, { limits: OUTBOX_LIMITS, timing: TIMING });
}

export function openRun(options: StartRunOptions, tuning: Tuning): LiveRun {
  try {
    if (typeof options !== 'object' || options === null) throw new RefusedError('options', 'must be an object');
    const { onWarning = defaultWarning } = options;
    if (typeof onWarning !== 'function') throw new RefusedError('onWarning', 'must be a function');
    const start = describe(options);
    return new LiveRun({
      server: serverAddress(options.server),
      handshake: parse(ingestHandshake, {
        protocol: PROTOCOL_VERSION,
        client: `evenkeel-emit/${manifest.version}`,
        key: options.key,
      }),
      start,
      warn: warnWithCount(onWarning),
      onCommand: commandHandler(options.onCommand, start.policy),
      ...tuning,
    });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const field = error.field === 'run' ? 'id' : error.field;
    throw new TypeError(`startRun: ${field}: ${error.message}`, { cause: error });
  }
}

function describe(options: StartRunOptions): RunStart {
  const { id = uuidv7(Date.now()), attempt = 1, startedAt = Date.now() } = options;
  const { project, name, owner, tags, notes, layers, policy } = options;
  const config = asJson(options.config);
  return parse(runStart, { run: id, attempt, startedAt, project, name, config, owner, tags, notes, layers, policy });
}

function commandHandler(handler: CommandHandler | undefined, policy: Policy): CommandHandler | null {
  if (handler !== undefined && typeof handler !== 'function') throw new RefusedError('onCommand', 'must be a function');
  const needing = Object.values(policy).find(({ kind }) => kind === 'checkpoint' || kind === 'reduce-lr');
  if (needing && !handler) throw new RefusedError('policy', `${needing.kind} needs onCommand, which carries it out`);
  return handler ?? null;
}

function asJson(config: unknown): unknown {
  try {
    return config === undefined ? undefined : JSON.parse(JSON.stringify(config) ?? 'null');
  } catch (error) {
    throw new RefusedError('config', error instanceof Error ? error.message : 'cannot be written as JSON');
  }
}

function serverAddress(server: unknown): URL {
  const address = server instanceof URL ? server.href : server;
  const url = typeof address === 'string' && URL.canParse(address) ? new URL(address) : null;
  if (url && /^(http|ws)s?:$/.test(url.protocol)) return url;
  throw new RefusedError('server', 'must be an address such as http://127.0.0.1:4870');
}

function defaultWarning(message: string): void {
  console.warn(`evenkeel: ${message}`);
}
