/** The newest values of a signal, in the order of their steps. */
export class Window {
  readonly #most: number;
  readonly #steps: number[] = [];
  readonly #values: number[] = [];

  constructor(most: number, state: WindowState = []) {
    this.#most = most;
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
    if (this.#steps.length <= this.#most) return;
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

/**
 * Of the values from one place up to another. Anew at every step: running sums would carry the rounding of all that went
 * through them, and a restored rule would differ from one that never stopped.
 */
export function spread(values: readonly number[], from: number, to: number): { mean: number; std: number } {
  let sum = 0;
  for (let at = from; at < to; at++) sum += values[at] as number;
  const mean = sum / (to - from);
  let squares = 0;
  for (let at = from; at < to; at++) squares += ((values[at] as number) - mean) ** 2;
  return { mean, std: Math.sqrt(squares / (to - from)) };
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.length > FEW ? Float64Array.from(values).sort() : insertionSorted(values);
  const [below, above] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((below ?? Number.NaN) + (above ?? Number.NaN)) / 2;
}

/** Up to so many values are sorted here: a typed array of them takes ten times as long, and every step pays for it. */
const FEW = 32;

function insertionSorted(values: readonly number[]): number[] {
  const sorted: number[] = [];
  for (const value of values) {
    let at = sorted.length;
    for (let before = sorted[at - 1]; before !== undefined && before > value; before = sorted[at - 1]) {
      sorted[at] = before;
      at -= 1;
    }
    sorted[at] = value;
  }
  return sorted;
}
