/**
 * The newest values of a signal, in the order of their steps. Rules recompute their statistics of it at every step: running
 * sums would carry the rounding of all that went through them, and a restored rule would differ from one that never stopped.
 */
export class Window {
  readonly #size: number;
  readonly #steps: number[] = [];
  readonly #values: number[] = [];

  constructor(size: number, state: WindowState = []) {
    this.#size = size;
    for (const [step, value] of state) this.add(step, value);
  }

  state(): WindowState {
    return this.#steps.map((step, at) => [step, this.#values[at] as number]);
  }

  get values(): readonly number[] {
    return this.#values;
  }

  get firstStep(): number | null {
    return this.#steps[0] ?? null;
  }

  add(step: number, value: number): void {
    this.rewind(step);
    this.#steps.push(step);
    this.#values.push(value);
    if (this.#steps.length <= this.#size) return;
    this.#steps.shift();
    this.#values.shift();
  }

  /** Forgets a step and all after it. */
  rewind(step: number): void {
    while ((this.#steps.at(-1) ?? Number.NEGATIVE_INFINITY) >= step) {
      this.#steps.pop();
      this.#values.pop();
    }
  }
}

export type WindowState = [step: number, value: number][];

export function isFiniteNumber(value: number | null | undefined): value is number {
  return value != null && Number.isFinite(value);
}
