import {
  ingestHandshake,
  type Policy,
  type PolicyInput,
  PROTOCOL_VERSION,
  parse,
  RefusedError,
  type RunStart,
  runStart,
} from '@evenkeel/protocol';
import manifest from '../package.json' with { type: 'json' };
import type { CommandHandler } from './command-desk.ts';
import { TIMING, type Timing } from './connection.ts';
import { OUTBOX_LIMITS, type OutboxLimits } from './outbox.ts';
import { Run } from './run.ts';
import { uuidv7 } from './uuid.ts';
import { warnOnce } from './warn.ts';

export interface StartRunOptions {
  /** The server's address, such as http://127.0.0.1:4870; a path in it is ignored. */
  server: string | URL;
  /** An ingest key; needed as soon as the server has one. */
  key?: string | undefined;
  project: string;
  name: string;
  /** Anything that JSON can carry; what it cannot is left out, as `JSON.stringify` does. */
  config?: Record<string, unknown> | undefined;
  owner?: string | null | undefined;
  tags?: readonly string[] | undefined;
  notes?: string | undefined;
  /** Names of the layers; `layerGradVar` and `layerOutVar` of every step then have as many values. */
  layers?: readonly string[] | undefined;
  /** A UUID; a new one of version 7 by default. Pass the former one to go on with a run. */
  id?: string | undefined;
  /** 1 by default; one more each time that a run goes on from a checkpoint. */
  attempt?: number | undefined;
  /** Milliseconds since 1970; now by default. */
  startedAt?: number | undefined;
  /** What the server is to do about alerts, by severity: nothing by default. */
  policy?: PolicyInput | undefined;
  /**
   * Carries commands out. Without it the run obeys `stop` alone, through its `signal`; with it `signal` is aborted too.
   * Resolve once the command is carried out, with words for the history of the run; reject where it cannot be.
   */
  onCommand?: CommandHandler | undefined;
  /** Hears of every distinct problem once; `console.warn` by default. */
  onWarning?: ((message: string) => void) | undefined;
}

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

export function openRun(options: StartRunOptions, tuning: Tuning): Run {
  try {
    if (typeof options !== 'object' || options === null) throw new RefusedError('options', 'must be an object');
    const { onWarning = defaultWarning } = options;
    if (typeof onWarning !== 'function') throw new RefusedError('onWarning', 'must be a function');
    const start = describe(options);
    return new Run({
      server: serverAddress(options.server),
      handshake: parse(ingestHandshake, {
        protocol: PROTOCOL_VERSION,
        client: `evenkeel-emit/${manifest.version}`,
        key: options.key,
      }),
      start,
      warn: warnOnce(onWarning),
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
