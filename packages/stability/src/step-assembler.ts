import { SIGNAL_NAMES, type Signals } from './signals.ts';

/** Milliseconds after its first part that a step waits for others at most before it is judged. */
export const ASSEMBLY_MS = 2_000;
/** A part that came further ahead, in milliseconds, shows that the clock was set back since. */
const MAX_AHEAD_MS = 60_000;
/** Past so many waiting steps the first are judged as they are: memory stays bounded. */
const MAX_WAITING = 4_096;

/** How the steps of a run usually come: what one has to carry to be whole before its time is up. */
export interface StepHabits {
  /** A bit for each signal that any step has carried. */
  signals: number;
  /** The shortest distance between two steps; null where fewer than two are known. */
  stride: number | null;
}

interface Waiting {
  signals: Signals;
  carried: number;
  /** When its first part came, in milliseconds since 1970. */
  since: number;
}

/**
 * Puts the steps of one attempt together from parts that come in any order, and gives each once, in order. A step is
 * complete when a later one has come, it carries every signal that steps of the run carry, and no step is missing before
 * it; else two seconds after its first part; and at the end of the run.
 */
export class StepAssembler {
  readonly #waiting = new Map<number, Waiting>();
  #isSorted = true;
  #highest = Number.NEGATIVE_INFINITY;
  #last: number | null = null;
  #signals: number;
  #stride: number | null;

  constructor(habits: StepHabits = { signals: 0, stride: null }) {
    this.#signals = habits.signals;
    this.#stride = habits.stride;
  }

  get habits(): StepHabits {
    return { signals: this.#signals, stride: this.#stride };
  }

  /** Steps that were given by another assembler of this attempt, in order. */
  resume(given: readonly Signals[]): void {
    for (const signals of given) {
      this.#signals |= carriedBy(signals);
      this.#pass(signals.step);
    }
  }

  /** When the first waiting step is complete at the latest, in milliseconds since 1970; null where none waits. */
  get due(): number | null {
    let oldest: number | null = null;
    for (const { since } of this.#waiting.values()) {
      oldest = Math.min(oldest ?? since, since);
      if (this.#isSorted) break; // the others came later
    }
    return oldest === null ? null : oldest + ASSEMBLY_MS;
  }

  /**
   * Takes a part of a step.
   * @param now in milliseconds since 1970.
   * @returns false where it comes too late: the step was given already, or one behind it.
   */
  add(part: Signals, now: number): boolean {
    const { step } = part;
    const carried = carriedBy(part);
    this.#signals |= carried;
    if (this.#last !== null && step <= this.#last) return false;
    const known = this.#waiting.get(step);
    if (known) {
      mergeInto(known.signals, part);
      known.carried |= carried;
      return true;
    }
    if (step < this.#highest) this.#isSorted = false;
    this.#highest = Math.max(this.#highest, step);
    this.#waiting.set(step, { signals: signalsOf(part), carried, since: now });
    return true;
  }

  /** The steps that are complete now, in order. */
  take(now: number): Signals[] {
    this.#sort();
    const complete: Signals[] = [];
    for (const [step, waiting] of this.#waiting) {
      if (waiting.since > now + MAX_AHEAD_MS) waiting.since = now;
      const isOver = now - waiting.since >= ASSEMBLY_MS || this.#waiting.size > MAX_WAITING;
      if (!isOver && !this.#isWhole(step, waiting)) break;
      this.#waiting.delete(step);
      this.#pass(step);
      complete.push(waiting.signals);
    }
    return complete;
  }

  /** Every waiting step, in order: the run has ended. */
  takeAll(): Signals[] {
    this.#sort();
    const all = Array.from(this.#waiting.values(), ({ signals }) => signals);
    for (const { step } of all) this.#pass(step);
    this.#waiting.clear();
    return all;
  }

  #isWhole(step: number, { carried }: Waiting): boolean {
    const hasSuccessor = step < this.#highest;
    const isNext = this.#last !== null && this.#stride !== null && step - this.#last <= this.#stride;
    return hasSuccessor && isNext && (carried & this.#signals) === this.#signals;
  }

  #pass(step: number): void {
    if (this.#last !== null && step > this.#last) {
      this.#stride = Math.min(this.#stride ?? Number.POSITIVE_INFINITY, step - this.#last);
    }
    this.#last = step;
  }

  #sort(): void {
    if (this.#isSorted) return;
    const sorted = [...this.#waiting].sort(([one], [other]) => one - other);
    this.#waiting.clear();
    for (const [step, waiting] of sorted) this.#waiting.set(step, waiting);
    this.#isSorted = true;
  }
}

function carriedBy(part: Signals): number {
  let bits = 0;
  for (let at = 0; at < SIGNAL_NAMES.length; at++) {
    const name = SIGNAL_NAMES[at];
    if (name !== undefined && part[name] != null) bits |= 1 << at;
  }
  return bits;
}

/** A copy of what is judged: arrays and custom scalars need not wait with it. */
function signalsOf(part: Signals): Signals {
  const { step, time } = part;
  const signals: Signals = { step, time };
  for (const name of SIGNAL_NAMES) signals[name] = part[name];
  return signals;
}

/** As steps merge where they are stored: a later part overwrites what it carries, and the earliest time stays. */
function mergeInto(known: Signals, part: Signals): void {
  for (const name of SIGNAL_NAMES) if (part[name] != null) known[name] = part[name];
  if (part.time != null) known.time = Math.min(known.time ?? part.time, part.time);
}
