import type { Conflict, StepBatch, StepEvent } from '@evenkeel/protocol';

/** Steps of an attempt whose values are kept for comparison, the newest; of very wide ones fewer. */
const KEPT_STEPS = 512;
const KEPT_VALUES = 50_000;
/** Conflicts that one ack names. */
const NAMED = 20;

/** What was written last of one field, and who did. */
interface Written {
  writer: string;
  value: unknown;
}

interface Watched {
  /** The writer of each connection: one that comes back with its session is the same. */
  writers: Map<string, string>;
  /** What was written last of each step, by field, while there are several writers. */
  steps: Map<number, Map<string, Written>>;
  /** How many values those are. */
  values: number;
  /** Conflicts that each writer has not received yet. */
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
    const watched = this.#attempts.get(key) ?? { writers: new Map(), steps: new Map(), values: 0, notices: new Map() };
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
    if (watched?.writers.size === 1) forgetSteps(watched, 0);
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
      const known = keptOf(watched, step.step);
      for (const [field, value] of valuesOf(step)) {
        const former = known.get(field);
        known.set(field, { writer, value });
        if (!former) watched.values += 1;
        if (!former || former.writer === writer || isSame(former.value, value)) continue;
        const conflict = { field, step: step.step };
        found.push(conflict);
        for (const each of [former.writer, writer]) notice(watched, each, conflict);
      }
    }
    return found;
  }

  /** Conflicts that a writer has not received yet, some of them where they are many. */
  notices({ run, attempt }: Pick<StepBatch, 'run' | 'attempt'>, writer: string): Conflict[] {
    const watched = this.#attempts.get(`${run} ${attempt}`);
    const notices = watched?.notices.get(writer) ?? []; // none as a rule
    watched?.notices.delete(writer);
    return notices;
  }
}

function notice({ notices }: Watched, writer: string, conflict: Conflict): void {
  const known = notices.get(writer) ?? [];
  if (known.length < NAMED) notices.set(writer, [...known, conflict]);
}

/** What is kept of a step, which is the newest from now on; the oldest make room. */
function keptOf(watched: Watched, step: number): Map<string, Written> {
  const { steps } = watched;
  const kept = steps.get(step) ?? new Map();
  steps.delete(step);
  forgetSteps(watched, watched.values > KEPT_VALUES ? steps.size / 2 : KEPT_STEPS - 1);
  steps.set(step, kept);
  return kept;
}

/** Forgets the oldest steps until so many are left. */
function forgetSteps(watched: Watched, left: number): void {
  for (const [step, fields] of watched.steps) {
    if (watched.steps.size <= left) return;
    watched.steps.delete(step);
    watched.values -= fields.size;
  }
}

/** What a step carries, by the name of its field. */
function valuesOf({ step: _step, time: _time, custom, ...fields }: StepEvent): [field: string, value: unknown][] {
  const named = Object.entries(custom ?? {}).map(([name, value]): [string, unknown] => [`custom.${name}`, value]);
  return [...Object.entries(fields), ...named].filter(([, value]) => value != null);
}

/** Arrays are kept as float32, in which they may have come already. */
function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return Object.is(one, other);
  return one.length === other.length && one.every((value, at) => Object.is(Math.fround(value), Math.fround(other[at])));
}
