import { type Database, type OpenedAttempt, openAfter, openAttempt } from '@evenkeel/db';
import { authorOf, type Principal, RefusedError, type StartRequest } from '@evenkeel/protocol';
import { NameMap } from './name-map.ts';

/** Steps that come this long after another emitter has ended the attempt, in milliseconds, are not the last of it. */
const STRAGGLER_MS = 60_000;

/** Runs what opens or ends an attempt, a few at once. */
export type InTurn = <Result>(act: () => Promise<Result>) => Promise<Result>;

interface StartedRunOptions {
  db: Database;
  now: () => Date;
  request: StartRequest;
  principal: Principal;
  /** Waits with other starts. */
  inTurn: InTurn;
  /** Another attempt was opened because steps came for one that has ended. */
  onReopened: (opened: OpenedAttempt) => void;
}

/** A run that was started on a connection: which attempt its steps are of. */
export class StartedRun {
  readonly #options: StartedRunOptions;
  /** Null where its emitter names fields as they are called here. */
  readonly names: NameMap | null;
  /** Rejects where the start is refused. */
  #opened: Promise<OpenedAttempt>;
  /** The numbers by which its emitter may call the attempt. */
  readonly #names = new Set<number>();
  /** When another emitter ended the attempt, in milliseconds since 1970; null where none did. */
  #endedAt: number | null = null;
  #isInertRecorded = false;

  constructor(options: StartedRunOptions) {
    const { db, now, request, inTurn } = options;
    this.#options = options;
    this.names = request.mapNames ? new NameMap(db, request.run) : null;
    if (typeof request.attempt === 'number') this.#names.add(request.attempt);
    this.#opened = this.#named(inTurn(() => openAttempt(db, request, now(), this.#key)));
    this.#opened.catch(() => {}); // whoever waits for it handles that
  }

  get opened(): Promise<OpenedAttempt> {
    return this.#opened;
  }

  /** Who writes: the same where an emitter comes back on another connection with its session. */
  writer(connection: string): string {
    return this.#options.request.session ?? connection;
  }

  /**
   * What its emitter calls itself on every connection.
   * @throws RefusedError where it does not.
   */
  session(): string {
    const { session } = this.#options.request;
    if (session === null) throw new RefusedError('session', 'the run was started without one: name it in run:start');
    return session;
  }

  /** The same, or null where it does not. */
  get sessionOrNull(): string | null {
    return this.#options.request.session;
  }

  /** The attempt that a number means on this connection. */
  async attemptOf(number: number): Promise<number> {
    const { attempt } = await this.#opened;
    return this.#names.has(number) ? attempt : number;
  }

  /** The attempt as which steps of a number are stored: the next one where that has ended. */
  async attemptForSteps(number: number): Promise<number> {
    const opening = this.#opened;
    const { isOver } = await opening;
    if (!this.#names.has(number)) return number;
    const isFirst = this.#opened === opening; // of several batches one opens the next attempt
    if (isFirst && (isOver || this.#hasEndedLongAgo())) this.#reopen();
    return (await this.#opened).attempt;
  }

  /** Why no policy acts on the steps of an attempt; null where one may. */
  async whyInert(attempt: number): Promise<string | null> {
    const { attempt: own, isInert, newest } = await this.#opened;
    if (!isInert || attempt !== own) return null;
    const stored = `the steps that come for attempt ${own} are stored, but no policy acts on them`;
    if (newest.attempt > own) return `${stored}: attempt ${newest.attempt} has begun since`;
    return `${stored}: it has ended, and their job did not begin after that (startedAt is no later than its last step)`;
  }

  /** Whether this is the first inert batch of the run on this connection: only that one is recorded. */
  isFirstInert(): boolean {
    const isFirst = !this.#isInertRecorded;
    this.#isInertRecorded = true;
    return isFirst;
  }

  /** Another emitter has ended an attempt of the run. */
  async ended(attempt: number, at: number): Promise<void> {
    const opened = await this.#opened.catch(() => null);
    if (opened?.attempt === attempt) this.#endedAt = at;
  }

  #hasEndedLongAgo(): boolean {
    return this.#endedAt !== null && this.#options.now().getTime() - this.#endedAt > STRAGGLER_MS;
  }

  #reopen(): void {
    const former = this.#opened;
    this.#endedAt = null;
    this.#opened = this.#named(this.#openNext(former));
    this.#opened.catch(() => {
      this.#opened = former;
    });
  }

  async #openNext(former: Promise<OpenedAttempt>): Promise<OpenedAttempt> {
    const { db, now, request, principal, inTurn, onReopened } = this.#options;
    const { attempt: ended, isOver } = await former;
    const attempt = typeof request.attempt === 'number' ? request.attempt : ended;
    const after = { start: { ...request, attempt }, ended, by: authorOf(principal, null) };
    const opened = await inTurn(() => openAfter(db, after, now(), this.#key)).catch((error) => {
      if (!isOver) this.#endedAt = 0; // to be tried again
      throw error;
    });
    onReopened(opened);
    return opened;
  }

  /** The id of the ingest key; null for none. */
  get #key(): string | null {
    const { principal } = this.#options;
    return principal.kind === 'key' ? principal.id : null;
  }

  async #named(opening: Promise<OpenedAttempt>): Promise<OpenedAttempt> {
    const opened = await opening;
    this.#names.add(opened.attempt);
    return opened;
  }
}
