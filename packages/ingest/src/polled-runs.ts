import { createRunSource, type Database, findRunSource, getRunSource } from '@evenkeel/db';
import { type Principal, RefusedError } from '@evenkeel/protocol';
import type { IngestContext } from './context.ts';
import type { Ingest } from './ingest.ts';
import { type NewPolledRun, PolledRun } from './polled-run.ts';

/** A client that sent nothing for so long, in milliseconds, counts as gone; from then on its run may become lost. */
const IDLE_MS = 15 * 60_000;
const SWEEP_MS = 60_000;

interface PolledRunsOptions {
  ingest: Ingest;
  db: Database;
  now: () => Date;
  /** The way in, such as `wandb`. */
  door: string;
  /** Why a client can carry no command out, where that is so: commands for its runs fail at once with this sentence. */
  commandsFail?: string;
}

interface Kept {
  context: IngestContext;
  opened: Promise<PolledRun>;
  /** In milliseconds since 1970. */
  lastUsedAt: number;
}

/**
 * The runs of a door whose clients have no connection but send requests: each is kept open from one request to the next
 * while its client is active, and opened again, as after a restart of the server, when something comes for it.
 */
export class PolledRuns {
  readonly #options: PolledRunsOptions;
  /** By run and principal: a run that was taken over is another key's. */
  readonly #kept = new Map<string, Kept>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: PolledRunsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#closeIdle(), SWEEP_MS);
  }

  /** The id of the run that the door's clients call so; null where there is none. */
  async find(externalId: string): Promise<string | null> {
    const found = await findRunSource(this.#options.db, this.#options.door, externalId);
    return found?.run ?? null;
  }

  /** Starts a run. */
  begin(principal: Principal, given: NewPolledRun): Promise<PolledRun> {
    const { db, door } = this.#options;
    return this.#keep(principal, given.run, async (polled) => {
      await polled.begin(given);
      const { run, externalId, parent = null, state = {} } = given;
      await createRunSource(db, { run, door, externalId, parent, state });
    });
  }

  /**
   * The run of a request.
   * @throws RefusedError where the door has no such run, or it belongs to another key.
   */
  open(principal: Principal, run: string): Promise<PolledRun> {
    const kept = this.opened(principal, run);
    if (kept) return kept;
    return this.#keep(principal, run, async (polled) => {
      const source = await getRunSource(this.#options.db, run);
      if (source?.door !== this.#options.door) throw new RefusedError('run', 'no such run');
      await polled.open();
    });
  }

  /** The run of a request where it is open already, without asking the database; it may have been deleted. */
  opened(principal: Principal, run: string): Promise<PolledRun> | null {
    const kept = this.#kept.get(keyOf(principal, run));
    if (!kept) return null;
    kept.lastUsedAt = this.#options.now().getTime();
    return kept.opened;
  }

  /** Nothing more is sent: the runs count as connected no longer. */
  close(): void {
    clearInterval(this.#timer);
    for (const key of this.#kept.keys()) this.#release(key);
  }

  /** Of several requests for a run the first opens it, and the others wait for that. */
  #keep(principal: Principal, run: string, open: (polled: PolledRun) => Promise<void>): Promise<PolledRun> {
    const { ingest, db, now, commandsFail } = this.#options;
    const key = keyOf(principal, run);
    this.#release(key); // of a run that was deleted and begins again
    const release = () => this.#release(key, context);
    const failed = commandsFail === undefined ? null : { error: commandsFail, field: '', retry: false };
    const context = ingest.open({
      principal,
      ...(failed && { deliver: async () => failed }),
      onFlood: release,
      onRevoked: release,
    });
    const polled = new PolledRun({ db, now, context, run });
    const opened = open(polled).then(() => polled);
    opened.catch(release);
    this.#kept.set(key, { context, opened, lastUsedAt: now().getTime() });
    return opened;
  }

  #release(key: string, context?: IngestContext): void {
    const kept = this.#kept.get(key);
    if (!kept || (context && kept.context !== context)) return;
    this.#kept.delete(key);
    kept.context.close();
  }

  #closeIdle(): void {
    const idleSince = this.#options.now().getTime() - IDLE_MS;
    for (const [key, { lastUsedAt }] of this.#kept) if (lastUsedAt < idleSince) this.#release(key);
  }
}

function keyOf(principal: Principal, run: string): string {
  return `${run} ${principal.kind === 'key' ? principal.id : ''}`;
}
