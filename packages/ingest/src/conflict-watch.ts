import type { Conflict, StepBatch, StepEvent } from '@evenkeel/protocol';

/** Steps of an attempt whose values are kept for comparison: the newest. */
const KEPT_STEPS = 512;
/** Conflicts that one ack names. */
const NAMED = 20;

interface Written {
  writer: string;
  step: StepEvent;
}

interface Watched {
  /** The writer of each connection: one that comes back with its session is the same. */
  writers: Map<string, string>;
  /** What was written last of each step, while there are several writers. */
  steps: Map<number, Written>;
  /** What each writer has not been told yet. */
  notices: Map<string, Conflict[]>;
}

/**
 * Finds where two emitters of one attempt send different values of the same step. Costs nothing while an attempt has one
 * emitter; several are compared over the newest steps, in memory.
 */
export class ConflictWatch {
  readonly #attempts = new Map<string, Watched>();
  /** The key of the attempt that a connection sends of each of its runs. */
  readonly #joined = new Map<string, string>();

  /** A connection sends an attempt of a run from now on, and no other of that run. */
  join({ run, attempt }: Pick<StepBatch, 'run' | 'attempt'>, connection: string, writer: string): void {
    this.leave(run, connection);
    const key = `${run} ${attempt}`;
    const watched = this.#attempts.get(key) ?? { writers: new Map(), steps: new Map(), notices: new Map() };
    watched.writers.set(connection, writer);
    this.#attempts.set(key, watched);
    this.#joined.set(`${run} ${connection}`, key);
  }

  /** A connection sends no more of a run. */
  leave(run: string, connection: string): void {
    const key = this.#joined.get(`${run} ${connection}`);
    if (key === undefined) return;
    this.#joined.delete(`${run} ${connection}`);
    const watched = this.#attempts.get(key);
    watched?.writers.delete(connection);
    if (watched?.writers.size === 0) this.#attempts.delete(key);
  }

  /**
   * Compares a batch with what others wrote.
   * @returns all conflicts that it causes.
   */
  compare({ run, attempt, steps }: StepBatch, writer: string): Conflict[] {
    const watched = this.#attempts.get(`${run} ${attempt}`);
    if (!watched || watched.writers.size < 2) return [];
    const found: Conflict[] = [];
    for (const step of steps) {
      const known = watched.steps.get(step.step);
      const conflicts = known && known.writer !== writer ? conflictsOf(known.step, step) : [];
      if (known && conflicts.length > 0) {
        found.push(...conflicts);
        notice(watched, known.writer, conflicts);
        notice(watched, writer, conflicts);
      }
      remember(watched.steps, { writer, step });
    }
    return found;
  }

  /** The conflicts that a writer has not been told of, some of them where they are many. */
  notices({ run, attempt }: Pick<StepBatch, 'run' | 'attempt'>, writer: string): Conflict[] {
    const watched = this.#attempts.get(`${run} ${attempt}`);
    const notices = watched?.notices.get(writer) ?? []; // none as a rule
    watched?.notices.delete(writer);
    return notices;
  }
}

function notice({ notices }: Watched, writer: string, conflicts: readonly Conflict[]): void {
  notices.set(writer, [...(notices.get(writer) ?? []), ...conflicts].slice(0, NAMED));
}

function remember(steps: Map<number, Written>, written: Written): void {
  const { step } = written.step;
  steps.delete(step);
  steps.set(step, written);
  const [oldest] = steps.keys();
  if (steps.size > KEPT_STEPS && oldest !== undefined) steps.delete(oldest);
}

function conflictsOf(known: StepEvent, { step, time: _time, custom, ...fields }: StepEvent): Conflict[] {
  const plain = differing(known, fields);
  const named = differing(known.custom ?? {}, custom ?? {}).map((name) => `custom.${name}`);
  return [...plain, ...named].map((field) => ({ field, step }));
}

/** The names for which both carry a value, and not the same. */
function differing(known: object, added: object): string[] {
  const values = new Map(Object.entries(known));
  return Object.entries(added).flatMap(([name, value]) => {
    const former = values.get(name);
    return former == null || value == null || isSame(former, value) ? [] : [name];
  });
}

/** Arrays are kept as float32, in which they may have come already. */
function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return Object.is(one, other);
  return one.length === other.length && one.every((value, at) => Object.is(Math.fround(value), Math.fround(other[at])));
}
