import type { Found } from './format.ts';

type Row = Extract<Found, { kind: 'row' }>;

/**
 * Numbers the attempts of a run while its files are read one after the other. Another begins where a file says so, after
 * an end, and with a later file that reports a name again at a step before its last: a job that went on from a checkpoint.
 */
export class Attempts {
  #number = 1;
  #hasRows = false;
  /** Whether the next row is of another attempt. */
  #isOver = false;
  /** Of this attempt in the files before this one, and in this one. */
  #before = new Reports();
  #here = new Reports();

  /** The attempt that what was seen last is of, from 1. */
  get number(): number {
    return this.#number;
  }

  /** What comes next is from another file of the run. */
  nextFile(): void {
    this.#before.add(this.#here);
    this.#here = new Reports();
  }

  see(found: Found): void {
    if (found.kind === 'row') this.#seeRow(found);
    else if (found.kind === 'attempt' || found.kind === 'end') this.#isOver = this.#hasRows;
  }

  #seeRow(row: Row): void {
    if (this.#isOver || this.#before.areRewoundBy(row)) {
      this.#number += 1;
      this.#before = new Reports();
      this.#here = new Reports();
    }
    this.#isOver = false;
    this.#hasRows = true;
    this.#here.see(row);
  }
}

/** How far each name has come. */
class Reports {
  #lastTime = Number.NEGATIVE_INFINITY;
  readonly #lastSteps = new Map<string, number>();

  see({ step, time, values }: Row): void {
    for (const name in values) this.#seeName(name, step);
    if (time !== null) this.#lastTime = Math.max(this.#lastTime, time);
  }

  add(others: Reports): void {
    for (const [name, step] of others.#lastSteps) this.#seeName(name, step);
    this.#lastTime = Math.max(this.#lastTime, others.#lastTime);
  }

  #seeName(name: string, step: number): void {
    const last = this.#lastSteps.get(name);
    if (last === undefined || last < step) this.#lastSteps.set(name, step);
  }

  /** Two programs may write at the same time, and at step 0 each may repeat what is constant: both are no rewind. */
  areRewoundBy({ step, time, values }: Row): boolean {
    if (step <= 0 || time === null || time <= this.#lastTime) return false;
    for (const name in values) if (step <= (this.#lastSteps.get(name) ?? 0)) return true;
    return false;
  }
}
