import { type Database, getRun, type RunDetail, type RunSource } from '@evenkeel/db';
import {
  type Command,
  type CommandDone,
  type ConsoleLine,
  DROP_REASONS,
  DropCount,
  type DroppedValue,
  MAX_BATCH_STEPS,
  MAX_CONSOLE_LINES,
  MAX_NAME_LENGTH,
  MAX_NOTES_LENGTH,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  MAX_TIME,
  MIN_STEP_TIME,
  type PolicyInput,
  parse,
  RefusedError,
  type RunEnd,
  runConsole,
  runDescribe,
  runFinish,
  startRequest,
  storableReason,
  storableText,
} from '@evenkeel/protocol';
import pLimit from 'p-limit';
import type { IngestContext } from './context.ts';

/** What a client says of its run; what is left out stays as it is, and what is too long is cut. */
export interface PolledDescription {
  name?: string;
  /** Its keys are added to those that the run has, and replace the ones of the same name. */
  config?: Record<string, unknown>;
  tags?: readonly string[];
  notes?: string;
}

/** A run that a client begins. */
export interface NewPolledRun extends PolledDescription {
  /** A new UUID. */
  run: string;
  /** What the client calls it, unique by door. */
  externalId: string;
  project: string;
  name: string;
  owner?: string | null;
  /** In milliseconds since 1970. */
  startedAt: number;
  /** The run that it is a part of. */
  parent?: string | null;
  /** What alerts do to it; left out, they are only observed. */
  policy?: PolicyInput | undefined;
  /** What its client may ask for again. */
  state?: RunSource['state'];
}

/** Values that a client reports together, by the names that it gives them. */
export interface PolledRow {
  step: number;
  /** In milliseconds since 1970; null where that is unknown. */
  time: number | null;
  custom: Record<string, number>;
}

interface PolledRunOptions {
  db: Database;
  now: () => Date;
  context: IngestContext;
  run: string;
}

/**
 * A run whose client has no connection, so that nothing shows when it goes, and anything may come late or in another
 * order. What comes after its end is stored with the attempt that has ended.
 */
export class PolledRun {
  readonly id: string;
  readonly #options: PolledRunOptions;
  /** Starts and ends of attempts, one after the other. */
  readonly #inTurn = pLimit(1);
  /** The newest attempt; 0 before the first. */
  #attempt = 0;
  #hasEnded = false;
  /** The start of the attempt in the context; null where that is due. */
  #started: Promise<void> | null = null;
  /** Resolves when no end is on its way. */
  #finished: Promise<void> = Promise.resolve();
  /** What was not kept of the run, beside values that ingest leaves out of steps. */
  #notKept = new DropCount();

  constructor(options: PolledRunOptions) {
    this.#options = options;
    this.id = options.run;
  }

  /** Starts the first attempt of a run that does not exist yet. */
  async begin({ project, name, owner = null, startedAt, policy, ...described }: NewPolledRun): Promise<void> {
    const { context, now } = this.#options;
    const began = startedAt >= 0 && startedAt <= MAX_TIME ? startedAt : now().getTime();
    const texts = fitTexts({ ...described, name });
    const start = { ...this.#identity(1), project, owner, startedAt: began, policy, ...texts };
    await context.start(parse(startRequest, start));
    this.#attempt = 1;
    this.#started = Promise.resolve();
    if (described.config) await this.describe({ config: described.config });
  }

  /**
   * Goes on with a run, as after a restart of the server.
   * @throws RefusedError where there is no such run, or it belongs to another key.
   */
  async open(): Promise<void> {
    const { attempts, dropped } = await this.#read();
    const newest = attempts.at(-1);
    if (!newest) throw new Error(`run ${this.id} has no attempt`);
    this.#attempt = newest.number;
    this.#hasEnded = newest.status !== null;
    this.#notKept.addAll(dropped.filter(({ reason }) => !Object.hasOwn(DROP_REASONS, reason)));
    await this.#ready();
  }

  /** Changes what describes the run. A key of the configuration that has no room there is left out and counted. */
  async describe({ config, ...texts }: PolledDescription): Promise<void> {
    await this.#ready();
    const fitted = fitTexts(texts);
    if (Object.keys(fitted).length > 0) await this.#describe(fitted);
    if (config) await this.#configure(Object.entries(config));
  }

  /** Stores values, in any order. What cannot be stored of them is left out and counted. */
  async steps(rows: readonly PolledRow[]): Promise<void> {
    const steps = rows.map(({ time, ...row }) => ({ ...row, time: time !== null && isStepTime(time) ? time : null }));
    for (const part of partsOf(steps, MAX_BATCH_STEPS)) {
      await this.#ready();
      await this.#options.context.steps({ run: this.id, attempt: this.#attempt, steps: part });
    }
  }

  /** Stores lines of the program's output; a line that is sent again replaces its former text. */
  async console(lines: readonly Pick<ConsoleLine, 'line' | 'time' | 'stream' | 'text'>[]): Promise<void> {
    for (const part of partsOf(lines, MAX_CONSOLE_LINES)) {
      await this.#ready();
      await this.#options.context.console(parse(runConsole, { run: this.id, attempt: this.#attempt, lines: part }));
    }
  }

  /** Counts something that was sent and is not kept, under a field and a reason as those of dropped values. */
  leaveOut(field: string, reason: string, count = 1): Promise<void> {
    return this.leaveOutAll([{ field, reason, count }]);
  }

  /** As {@link leaveOut}, of several. */
  async leaveOutAll(values: readonly DroppedValue[]): Promise<void> {
    if (values.length === 0) return;
    await this.#ready();
    this.#notKept.addAll(values);
    await this.#options.context.dropped({ run: this.id, attempt: this.#attempt, dropped: this.#notKept.values() });
  }

  /** Records in the run's history what its program reports, such as an alert of its own. */
  async report(text: string): Promise<void> {
    await this.#ready();
    await this.#options.context.report({ run: this.id, attempt: this.#attempt, reason: storableReason(text) });
  }

  /** Ends the attempt; again, it changes nothing. */
  finish({ status, reason, endedAt }: RunEnd): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#hasEnded) return;
      await this.#ready();
      const isTime = endedAt !== undefined && endedAt >= 0 && endedAt <= MAX_TIME;
      const ended = { status, reason: reason === null ? null : storableReason(reason), ...(isTime && { endedAt }) };
      const { context } = this.#options;
      const finishing = context.finish(parse(runFinish, { run: this.id, attempt: this.#attempt, ...ended }));
      this.#started = null; // the context forgets the run: what comes late starts it again
      this.#finished = finishing.then(
        () => {},
        () => {},
      );
      await finishing;
      this.#hasEnded = true;
    });
  }

  /**
   * Begins the next attempt, where the newest has ended.
   * @param policy left out, that of the attempt before.
   */
  resume(policy?: PolicyInput): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#hasEnded) return;
      await this.#start(this.#attempt + 1, this.#options.now().getTime(), policy);
      this.#attempt += 1;
      this.#hasEnded = false;
      this.#started = Promise.resolve();
    });
  }

  /** What its client has not acknowledged yet, in the order in which it was given. */
  async pendingCommands(): Promise<Command[]> {
    await this.#ready();
    return this.#options.context.commands.pending({ run: this.id, attempt: this.#attempt });
  }

  /** Its client has taken a command. */
  async acknowledge(id: string): Promise<void> {
    await this.#ready();
    await this.#options.context.commands.acknowledge({ run: this.id, id });
  }

  /** Its client has carried a command out, or could not. */
  async settle(done: Omit<CommandDone, 'run'>): Promise<void> {
    await this.#ready();
    await this.#options.context.commands.settle({ run: this.id, ...done });
  }

  /** Resolves when the context knows the attempt. */
  #ready(): Promise<void> {
    if (this.#started) return this.#started;
    // A start at 0 is no later job's, whatever times its values have: it opens no attempt by itself.
    const starting = this.#finished.then(() => this.#start(this.#attempt, 0));
    this.#started = starting;
    starting.catch(() => {
      if (this.#started === starting) this.#started = null;
    });
    return starting;
  }

  async #start(attempt: number, startedAt: number, given?: PolicyInput): Promise<void> {
    const { context } = this.#options;
    const { project, name, config, owner, tags, notes, layers, attempts } = await this.#read();
    const described = { project, name, config, owner, tags, notes, layers };
    const policy = given ?? attempts.at(-1)?.policy;
    await context.start(parse(startRequest, { ...this.#identity(attempt), ...described, startedAt, policy }));
  }

  #identity(attempt: number) {
    return { run: this.id, attempt, session: this.id, mapNames: true };
  }

  async #read(): Promise<RunDetail> {
    const found = await getRun(this.#options.db, this.id);
    if (!found) throw new RefusedError('run', 'no such run');
    return found;
  }

  async #describe(described: PolledDescription): Promise<void> {
    const { context } = this.#options;
    await context.describe(parse(runDescribe, { run: this.id, attempt: this.#attempt, ...described }));
  }

  /** Half of the keys at a time where all together are refused, so that what has room is kept. */
  async #configure(entries: readonly [string, unknown][]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await this.#describe({ config: Object.fromEntries(entries) });
    } catch (error) {
      if (!(error instanceof RefusedError) || error.field !== 'config') throw error;
      const [only, ...others] = entries;
      if (only && others.length === 0) return this.leaveOut(`config.${storableText(only[0], 100)}`, NO_ROOM);
      const half = Math.ceil(entries.length / 2);
      await this.#configure(entries.slice(0, half));
      await this.#configure(entries.slice(half));
    }
  }
}

const NO_ROOM = 'no room in the configuration';

function fitTexts({ name, tags, notes }: PolledDescription): Omit<PolledDescription, 'config'> {
  return {
    ...(name !== undefined && { name: storableText(name, MAX_NAME_LENGTH) || 'unnamed' }),
    ...(notes !== undefined && { notes: storableText(notes, MAX_NOTES_LENGTH) }),
    ...(tags && { tags: fitTags(tags) }),
  };
}

function fitTags(tags: readonly string[]): string[] {
  return tags
    .filter((tag) => tag !== '')
    .slice(0, MAX_TAGS)
    .map((tag) => storableText(tag, MAX_TAG_LENGTH));
}

/** Clients send seconds, or 0: their values are stored all the same. */
function isStepTime(time: number): boolean {
  return time >= MIN_STEP_TIME && time <= MAX_TIME;
}

function partsOf<Item>(items: readonly Item[], size: number): Item[][] {
  const parts: Item[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}
