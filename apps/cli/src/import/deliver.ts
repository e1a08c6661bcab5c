import {
  type DroppedValue,
  type EndStatus,
  type Run,
  type StartRunOptions,
  type StepInput,
  startRun,
} from '@evenkeel/emit';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { report } from './report.ts';

/** Steps that may be pending; emit's buffer holds many times as many. */
const MAX_PENDING = 10_000;
/** How long a server may acknowledge no step at all. */
const SERVER_TIMEOUT_MS = 60_000;

/** An attempt of a run that has ended, as it is sent. */
export interface Delivery {
  start: Omit<StartRunOptions, 'server' | 'key' | 'spool' | 'handleExit' | 'onWarning' | 'onCommand'>;
  steps: AsyncIterable<StepInput>;
  status: EndStatus;
  reason: string | null;
  /** Milliseconds since 1970. */
  endedAt: number;
}

/** @throws Failure where nothing answers there. */
export async function checkServer(server: string): Promise<void> {
  if (!URL.canParse(server)) throw new Failure(`--server: "${server}" is not a URL such as http://127.0.0.1:4870`);
  await fetch(new URL('/healthz', server), { signal: AbortSignal.timeout(SERVER_TIMEOUT_MS) }).catch(() => {
    throw new Failure(`no answer from ${server}: start a server with "evenkeel serve", or set another with --server`);
  });
}

/**
 * Sends one attempt as its trainer would have. A warning of emit ends the import, which can be repeated; a notice about
 * stored steps does not, nor does a value that is left out.
 * @returns the values that were left out.
 * @throws Failure where the server has not acknowledged all of it.
 */
export async function deliver(delivery: Delivery, server: string, onStep: () => void): Promise<DroppedValue[]> {
  const { start, steps, status, reason, endedAt } = delivery;
  const warning = new AbortController();
  const run = await startRun({
    ...start,
    server,
    key: environment.key ?? undefined,
    spool: false, // an import is repeated from its file
    handleExit: false,
    onWarning(message, kind) {
      if (kind.startsWith('notice: ')) report(message);
      else if (!kind.startsWith('value: ')) warning.abort(new Failure(message)); // values are counted, and reported at the end
    },
  });
  for await (const step of steps) {
    run.log(step);
    onStep();
    if (run.pending >= MAX_PENDING) await drained(run, MAX_PENDING / 2, warning.signal);
    warning.signal.throwIfAborted();
  }
  await drained(run, 0, warning.signal);
  const { delivered, dropped } = await run.finish(status, reason ?? undefined, { endedAt });
  warning.signal.throwIfAborted();
  if (!delivered) throw new Failure('the server did not acknowledge the end of the run');
  return dropped;
}

/** Resolves once at most so many steps are pending; rejects at the first warning, and after a timeout. */
async function drained(run: Run, max: number, warning: AbortSignal): Promise<void> {
  warning.throwIfAborted();
  const limit = AbortSignal.any([warning, AbortSignal.timeout(SERVER_TIMEOUT_MS)]);
  await run.drained(max, { signal: limit }).catch(() => {
    warning.throwIfAborted();
    throw new Failure(`the server acknowledged too few steps in ${SERVER_TIMEOUT_MS / 1000} s`);
  });
}
