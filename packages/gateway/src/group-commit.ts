import { RefusedError, type StepBatch } from '@evenkeel/protocol';

/** Stores all batches in one transaction; answers each with null, or why that one was not stored. */
export type StoreBatches = (batches: StepBatch[]) => Promise<(RefusedError | null)[]>;

const GROUP_STEPS = 5_000;
/** Past this many waiting steps new batches are told to come back: memory stays bounded when the disk is slow. */
const WAITING_STEPS = 200_000;

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
  #waiting: Waiting[] = [];
  #waitingSteps = 0;
  #draining: Promise<void> | null = null;

  constructor(store: StoreBatches) {
    this.#store = store;
  }

  /** Resolves once the batch is stored (null) or refused; never rejects. */
  add(batch: StepBatch): Promise<RefusedError | null> {
    if (this.#waitingSteps + batch.steps.length > WAITING_STEPS) {
      return Promise.resolve(new RefusedError('', 'the server is behind with storing steps: try again', true));
    }
    const stored = new Promise<RefusedError | null>((settle) => this.#waiting.push({ batch, settle }));
    this.#waitingSteps += batch.steps.length;
    this.#draining ??= this.#drain();
    return stored;
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
    const group = this.#waiting.splice(0, end);
    for (const { batch } of group) this.#waitingSteps -= batch.steps.length;
    return group;
  }

  async #commit(batches: StepBatch[]): Promise<(RefusedError | null)[]> {
    try {
      return await this.#store(batches);
    } catch (error) {
      if (batches.length === 1) return [storageRefusal(error)];
      // One batch may have spoilt the transaction of all: give each its own.
      const answers = [];
      for (const batch of batches) answers.push(...(await this.#commit([batch])));
      return answers;
    }
  }
}

/** Data that the database rejects (SQLSTATE classes 22 and 23) will be rejected again; anything else may pass. */
function storageRefusal(error: unknown): RefusedError {
  const code = sqlState(error);
  const retry = code === null || !/^2[23]/.test(code);
  return new RefusedError('steps', retry ? 'the database did not answer: try again' : 'the database rejects it', retry);
}

function sqlState(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return sqlState(error.cause);
}
