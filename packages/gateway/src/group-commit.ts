import { RefusedError, type StepBatch } from '@evenkeel/protocol';
import type { Log } from './log.ts';

/** Stores all batches in one transaction; answers each with null, or why that one was not stored. */
export type StoreBatches = (batches: StepBatch[]) => Promise<(RefusedError | null)[]>;

const GROUP_STEPS = 5_000;
/** Past this many waiting numbers new batches are told to come back: memory stays bounded when the disk is slow. */
const WAITING_NUMBERS = 20_000_000;
/** SQLSTATE classes of data that the database rejects, and will reject again: data exception, constraint violation. */
const DATA_REJECTED = /^2[23]/;

interface Waiting {
  batch: StepBatch;
  settle: (refused: RefusedError | null) => void;
}

/**
 * Gathers the batches of all runs while the previous commit is in flight, then stores them in one statement.
 * A batch is durable once its promise has resolved with null.
 */
export class GroupCommit {
  readonly #store: StoreBatches;
  readonly #log: Log;
  #waiting: Waiting[] = [];
  #waitingNumbers = 0;
  #draining: Promise<void> | null = null;

  constructor(store: StoreBatches, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Resolves once the batch is stored (null) or refused; never rejects. */
  add(batch: StepBatch): Promise<RefusedError | null> {
    const numbers = numbersIn(batch);
    if (this.#waitingNumbers + numbers > WAITING_NUMBERS) {
      return Promise.resolve(new RefusedError('', 'the server is behind with storing steps: try again', true));
    }
    this.#waitingNumbers += numbers;
    return new Promise((resolve) => {
      const settle = (refused: RefusedError | null) => {
        this.#waitingNumbers -= numbers;
        resolve(refused);
      };
      this.#waiting.push({ batch, settle });
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    await null; // let what arrives in the same turn join the first group
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      const answers = await this.#commit(group.map(({ batch }) => batch));
      for (const [at, { settle }] of group.entries()) settle(answers[at] ?? null);
    }
    this.#draining = null;
  }

  #takeGroup(): Waiting[] {
    let steps = 0;
    let end = 0;
    for (const { batch } of this.#waiting) {
      steps += batch.steps.length;
      if (steps > GROUP_STEPS && end > 0) break;
      end++;
    }
    return this.#waiting.splice(0, end);
  }

  async #commit(batches: StepBatch[]): Promise<(RefusedError | null)[]> {
    try {
      return await this.#store(batches);
    } catch (error) {
      this.#log('error', `storing ${batches.length} batches failed`, error);
      const isRejected = DATA_REJECTED.test(sqlState(error) ?? '');
      if (!isRejected) return batches.map(() => new RefusedError('', 'the database did not answer: try again', true));
      if (batches.length === 1) return [new RefusedError('steps', 'the database rejects it')];
      // One batch has spoilt the transaction of all: give each its own.
      const answers = [];
      for (const batch of batches) answers.push(...(await this.#commit([batch])));
      return answers;
    }
  }
}

function numbersIn({ steps }: StepBatch): number {
  return steps.reduce((sum, { layerGradVar, layerOutVar, custom }) => {
    const arrays = (layerGradVar?.length ?? 0) + (layerOutVar?.length ?? 0);
    return sum + 20 + arrays + (custom ? Object.keys(custom).length : 0);
  }, 0);
}

function sqlState(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return sqlState(error.cause);
}
