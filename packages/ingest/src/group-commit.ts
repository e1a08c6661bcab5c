import { describeFailure, type StoredSteps, type TakenBatch } from '@evenkeel/db';
import { DropCount, RefusedError, type StepEvent } from '@evenkeel/protocol';
import type { Log } from './log.ts';
import { TurnQueue } from './turn-queue.ts';

/** Stores all batches in one transaction, and returns the result of each. */
export type StoreBatches = (batches: TakenBatch[]) => Promise<StoredSteps[]>;

/**
 * Steps of one commit where few runs wait: whoever sends a batch waits for the commit in flight and for its own, however
 * much others have waiting. Measured with 12 layers on two cores: 512 steps take 21 ms on PGlite and 13 ms on PostgreSQL,
 * of which 18 and 8 ms are the price of any commit. The first commits of a process take five times as long: nothing is
 * compiled yet.
 */
const FEW_RUNS: GroupBounds = { min: 64, max: 512, quickMs: 25, slowMs: 40 };
/** Where so many runs wait, the price of a commit is shared by more steps: 4,096 take 100 ms on PGlite, 70 on PostgreSQL. */
const MANY_RUNS_FROM = 4;
const MANY_RUNS: GroupBounds = { min: 512, max: 4_096, quickMs: 100, slowMs: 200 };
/** Numbers for each of its steps, on average: a commit of wide steps holds fewer of them. */
const STEP_NUMBERS = 64;
/** What one run puts into a group at its turn: emit's batch while the server keeps up. */
const TURN_STEPS = 64;
/** Past this many waiting numbers new batches are refused, to be sent again: memory stays bounded when the disk is slow. */
const WAITING_NUMBERS = 20_000_000;
/** SQLSTATE classes of data that the database rejects, and will reject again: data exception, constraint violation. */
const DATA_REJECTED = /^2[23]/;

interface Waiting {
  batch: TakenBatch;
  /** Steps that are stored or in the group that is. */
  taken: number;
  /** What was left out of the steps that are stored. */
  dropped: DropCount;
  settle: (result: StoredSteps) => void;
}

/** The steps of a batch that go into a group, from one index up to another. */
interface Part {
  waiting: Waiting;
  from: number;
  until: number;
}

/**
 * Gathers the batches of all runs while the previous commit is in flight, then stores them in one statement: in turn by
 * run, and in order within a run. A run that has nothing left waits for one turn of each of the others, not for more. A
 * large batch is stored by several commits; one that fails midway leaves the first of its steps stored, which does no
 * harm, as it merges with them when it comes again.
 * A batch is durable once its promise has resolved with what was left out of it.
 */
export class GroupCommit {
  readonly #store: StoreBatches;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #queue = new TurnQueue<Waiting>();
  readonly #fewRuns = new GroupSize(FEW_RUNS);
  readonly #manyRuns = new GroupSize(MANY_RUNS);
  #waitingNumbers = 0;
  #draining: Promise<void> | null = null;

  /** @param clock milliseconds since any time. */
  constructor(store: StoreBatches, log: Log, clock = () => performance.now()) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
  }

  /** Resolves once the batch is stored or refused; never rejects. */
  add(batch: TakenBatch): Promise<StoredSteps> {
    const numbers = batch.steps.reduce((sum, step) => sum + numbersIn(step), 0);
    if (this.#waitingNumbers + numbers > WAITING_NUMBERS) {
      return Promise.resolve(new RefusedError('', 'the server is behind with storing steps: try again', true));
    }
    this.#waitingNumbers += numbers;
    return new Promise((resolve) => {
      const settle = (result: StoredSteps) => {
        this.#waitingNumbers -= numbers;
        resolve(result);
      };
      this.#queue.add(batch.run, { batch, taken: 0, dropped: new DropCount(), settle });
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    await null; // let what arrives in the same turn join the first group
    for (;;) {
      const size = this.#queue.keys < MANY_RUNS_FROM ? this.#fewRuns : this.#manyRuns;
      const { group, isFull } = this.#takeGroup(size.steps);
      if (group.length === 0) break;
      const began = this.#clock();
      const answers = await this.#commit(group.map(sliceOf));
      size.adapt(isFull, this.#clock() - began);
      for (const [at, { waiting, until }] of group.entries()) this.#settle(waiting, until, answerAt(answers, at));
    }
    this.#draining = null;
  }

  #settle(waiting: Waiting, stored: number, result: StoredSteps): void {
    const { batch, dropped, settle } = waiting;
    const isRefused = result instanceof RefusedError;
    if (!isRefused) for (const { field, reason, count } of result) dropped.add(field, reason, count);
    if (!isRefused && stored < batch.steps.length) return;
    this.#queue.remove(batch.run, waiting);
    settle(isRefused ? result : dropped.values());
  }

  #takeGroup(maxSteps: number): { group: Part[]; isFull: boolean } {
    const parts = new Map<Waiting, Part>();
    const maxNumbers = STEP_NUMBERS * maxSteps;
    const runs = new Set<string>();
    let [steps, numbers] = [0, 0];
    while (steps < maxSteps && numbers < maxNumbers) {
      const waiting = this.#queue.next();
      if (!waiting || (runs.size > this.#queue.keys && runs.has(waiting.batch.run))) break;
      runs.add(waiting.batch.run);
      const from = waiting.taken;
      numbers += take(waiting, Math.min(TURN_STEPS, maxSteps - steps), maxNumbers - numbers);
      steps += waiting.taken - from;
      parts.set(waiting, { waiting, from: parts.get(waiting)?.from ?? from, until: waiting.taken });
      const { batch } = waiting;
      this.#queue.pass(batch.run);
      if (waiting.taken === batch.steps.length) this.#queue.remove(batch.run, waiting);
    }
    return { group: [...parts.values()], isFull: steps >= maxSteps || numbers >= maxNumbers };
  }

  async #commit(slices: TakenBatch[]): Promise<StoredSteps[]> {
    try {
      const answers = await this.#store(slices);
      if (answers.length === slices.length) return answers;
      throw new Error(`the database answered ${answers.length} batches of ${slices.length}`);
    } catch (error) {
      this.#log('error', `storing ${slices.length} batches failed`, error);
      if (!isDataRejected(error))
        return slices.map(() => new RefusedError('', `${describeFailure(error)}: try again`, true));
      if (slices.length === 1) return [new RefusedError('steps', 'the database rejects it')];
      // One batch has spoilt the transaction of all: give each its own.
      const answers: StoredSteps[] = [];
      for (const slice of slices) answers.push(...(await this.#commit([slice])));
      return answers;
    }
  }
}

/** Steps of a commit, and the milliseconds beyond the price of any commit within which it is quick, or after which slow. */
interface GroupBounds {
  min: number;
  max: number;
  quickMs: number;
  slowMs: number;
}

/** The price of any commit is that of the shortest; by so much it is forgotten with each, as databases get slower too. */
const PRICE_DRIFT = 1.01;

/** How many steps a commit may hold: twice as many after each full one that was quick, half as many after a slow one. */
class GroupSize {
  readonly #bounds: GroupBounds;
  #steps: number;
  #priceMs = Number.POSITIVE_INFINITY;

  constructor(bounds: GroupBounds) {
    this.#bounds = bounds;
    this.#steps = bounds.min;
  }

  get steps(): number {
    return this.#steps;
  }

  /** What is slow whatever a commit holds, such as a remote database, makes no group smaller: there would only be more. */
  adapt(isFull: boolean, elapsedMs: number): void {
    const { min, max, quickMs, slowMs } = this.#bounds;
    this.#priceMs = Math.min(elapsedMs, PRICE_DRIFT * this.#priceMs);
    if (!isFull) return;
    const stepsMs = elapsedMs - this.#priceMs;
    if (stepsMs > slowMs) this.#steps = Math.max(this.#steps / 2, min);
    else if (stepsMs < quickMs) this.#steps = Math.min(2 * this.#steps, max);
  }
}

/** Takes the next steps of a batch, until either bound is reached, and returns their numbers. */
function take(waiting: Waiting, maxSteps: number, maxNumbers: number): number {
  let numbers = 0;
  for (const step of waiting.batch.steps.slice(waiting.taken, waiting.taken + maxSteps)) {
    waiting.taken += 1;
    numbers += numbersIn(step);
    if (numbers >= maxNumbers) break;
  }
  return numbers;
}

/** What was left out of a batch before it came here goes with its first steps. */
function sliceOf({ waiting: { batch }, from, until }: Part): TakenBatch {
  const { run, attempt, dropped = [] } = batch;
  return { run, attempt, steps: batch.steps.slice(from, until), dropped: from === 0 ? dropped : [] };
}

/** Fails closed: a missing answer must not read as stored. */
function answerAt(answers: readonly StoredSteps[], at: number): StoredSteps {
  const answer = answers[at];
  if (!answer) throw new Error('the database gave no answer for a batch');
  return answer;
}

function numbersIn({ layerGradVar, layerOutVar, custom }: StepEvent): number {
  const arrays = (layerGradVar?.length ?? 0) + (layerOutVar?.length ?? 0);
  return 20 + arrays + (custom ? Object.keys(custom).length : 0);
}

/** Whether the database works and rejects what it was given. */
export function isDataRejected(error: unknown): boolean {
  return DATA_REJECTED.test(sqlState(error) ?? '');
}

function sqlState(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return sqlState(error.cause);
}
