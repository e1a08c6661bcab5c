import { type Run, type StartRunOptions, startRun } from '@evenkeel/emit';
import type { EndStatus } from '@evenkeel/protocol';
import type { Notices } from './notices.ts';

/** Steps that may be pending; the files hold the rest. */
const MAX_PENDING = 10_000;

/** The server takes nothing of a run, for good. */
export class RunRefused extends Error {
  override name = 'RunRefused';
}

/** Where runs are sent. */
export interface Destination {
  server: string;
  key: string | undefined;
  notices: Notices;
  /** Aborted when the command ends. */
  signal: AbortSignal;
}

/** An attempt of a run, as it is sent. */
export class Sender {
  readonly #run: Run;
  readonly #destination: Destination;
  readonly #refusal: AbortController;
  /** Whether the server has refused steps, which are not sent again. */
  readonly #hasLost: () => boolean;

  private constructor(run: Run, destination: Destination, refusal: AbortController, hasLost: () => boolean) {
    this.#run = run;
    this.#destination = destination;
    this.#refusal = refusal;
    this.#hasLost = hasLost;
  }

  static async start(
    about: Pick<StartRunOptions, 'id' | 'attempt' | 'startedAt' | 'project' | 'name' | 'config' | 'tags' | 'notes'>,
    destination: Destination,
  ): Promise<Sender> {
    const { server, key, notices } = destination;
    const refusal = new AbortController();
    let hasLost = false;
    const run = await startRun({
      ...about,
      server,
      key,
      mapNames: true,
      spool: false, // the files are there to be read again
      handleExit: false,
      onCommand() {
        throw new Error('its files are followed by "evenkeel watch", which cannot reach the job');
      },
      onWarning(message, kind) {
        if (kind === 'refused run') return refusal.abort(new RunRefused(`${about.name}: ${message}`));
        if (kind.startsWith('steps: ')) hasLost = true;
        notices.show(kind, kind === 'unreachable' ? message : `${about.name}: ${message}`);
      },
    });
    return new Sender(run, destination, refusal, () => hasLost);
  }

  /** Sends a step; waits while too many are pending. @throws RunRefused */
  async log(step: Parameters<Run['log']>[0]): Promise<void> {
    this.#run.log(step);
    if (this.#run.pending >= MAX_PENDING) await this.drained(MAX_PENDING / 2);
  }

  /** Resolves once at most so many steps are not acknowledged. @throws RunRefused, and where the command ends before. */
  async drained(max = 0): Promise<void> {
    const { signal, notices } = this.#destination;
    await this.#run.drained(max, { signal: AbortSignal.any([signal, this.#refusal.signal]) });
    this.#refusal.signal.throwIfAborted();
    notices.reached();
  }

  /** Ends the attempt. @returns whether the server has received that. @throws RunRefused */
  async finish(status: EndStatus, reason: string | null, endedAt: number | null): Promise<boolean> {
    const { delivered } = await this.#run.finish(status, reason ?? undefined, { endedAt: endedAt ?? undefined });
    this.#refusal.signal.throwIfAborted();
    return delivered || (this.#hasLost() && this.#run.pending === 0);
  }
}
