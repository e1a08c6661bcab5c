import { MAX_STEP, MIN_STEP } from '@evenkeel/protocol';
import type { Row } from './row.ts';
import type { StepRules } from './step-rules.ts';

/** How the integrations of frameworks call the optimizer step: the Hugging Face Trainer's, and Lightning's. */
const OPTIMIZER_STEPS = ['train/global_step', 'trainer/global_step'];
/** The row's number, when it was logged (seconds since 1970), and how many seconds after the start. */
export const ROW_KEYS: readonly string[] = ['_step', '_timestamp', '_runtime'];

/** Values of one row that belong to one step. */
export interface PlacedRow {
  step: number;
  /** In milliseconds since 1970; null where the row has none. */
  time: number | null;
  custom: Record<string, number>;
}

/** Places the rows of a run, one after the other. */
export class RowPlacer {
  readonly #rules: StepRules;
  /** The newest value of each metric that is a step. */
  readonly #seen: Map<string, number>;

  /** @param seen as `seen` was after the rows before; empty at the beginning of a run. */
  constructor(rules: StepRules, seen: Readonly<Record<string, number>>) {
    this.#rules = rules;
    this.#seen = new Map(Object.entries(seen));
  }

  get seen(): Record<string, number> {
    return Object.fromEntries(this.#seen);
  }

  /**
   * The values of a row by step: that of the rule for a metric, the optimizer step of a framework, or else the row's
   * number. A value that is such a step itself is none besides. The step with the most values stands first.
   */
  place({ values }: Row): PlacedRow[] {
    for (const name of [...OPTIMIZER_STEPS, ...this.#rules.steps]) {
      const value = values.get(name);
      if (isStep(value)) this.#seen.set(name, value);
    }
    const usual = this.#newest(OPTIMIZER_STEPS) ?? values.get('_step');
    const steps = new Map<number, [string, number][]>();
    for (const [name, value] of values) {
      if (ROW_KEYS.includes(name) || this.#seen.get(name) === value) continue;
      const metric = this.#rules.stepOf(name);
      const step = (metric === undefined ? undefined : this.#seen.get(metric)) ?? usual;
      if (!isStep(step)) continue;
      const placed = steps.get(step);
      if (placed) placed.push([name, value]);
      else steps.set(step, [[name, value]]);
    }
    return [...steps]
      .sort(([, one], [, other]) => other.length - one.length)
      .map(([step, placed]) => ({ step, time: timeOf(values), custom: Object.fromEntries(placed) }));
  }

  /** Of the first of these metrics that has one. */
  #newest(metrics: readonly string[]): number | undefined {
    return metrics.map((name) => this.#seen.get(name)).find((step) => step !== undefined);
  }
}

/** When a row was logged, in milliseconds since 1970; null where it does not say so. */
export function timeOf(values: ReadonlyMap<string, number>): number | null {
  const time = (values.get('_timestamp') ?? Number.NaN) * 1_000;
  return Number.isFinite(time) ? time : null;
}

function isStep(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= MIN_STEP && value <= MAX_STEP;
}
