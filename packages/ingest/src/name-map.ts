import { claimRunNames, type Database } from '@evenkeel/db';
import { EVAL_LOSS, type MetricTarget, type RunNames, type StepEvent } from '@evenkeel/protocol';

/** Puts what a run reports under names of other trackers into the fields of its steps. */
export class NameMap {
  readonly #db: Database;
  readonly #run: string;
  /** Names about which is decided; a run has a bounded number of them. */
  readonly #known = new Set<string>();
  #targets: ReadonlyMap<string, MetricTarget> = new Map();
  /** One decision after the other, so that the order of a sender's steps counts. */
  #deciding: Promise<void> = Promise.resolve();

  constructor(db: Database, run: string) {
    this.#db = db;
    this.#run = run;
  }

  /** @returns the steps, those that carry such a name as copies. */
  async map(steps: readonly StepEvent[]): Promise<StepEvent[]> {
    const names = new Set(steps.flatMap(({ custom }) => Object.keys(custom ?? {})));
    if (!this.#knows(names)) await this.#decide(names);
    return steps.map((step) => this.#mapStep(step));
  }

  #knows(names: ReadonlySet<string>): boolean {
    for (const name of names) if (!this.#known.has(name)) return false;
    return true;
  }

  async #decide(names: ReadonlySet<string>): Promise<void> {
    const deciding = this.#deciding.then(async () => {
      const unknown = [...names].filter((name) => !this.#known.has(name));
      if (unknown.length === 0) return;
      this.#targets = targetsOf(await claimRunNames(this.#db, this.#run, unknown));
      for (const name of unknown) this.#known.add(name);
    });
    this.#deciding = deciding.catch(() => {}); // whoever waits for it handles that
    await deciding;
  }

  #mapStep(step: StepEvent): StepEvent {
    const { custom } = step;
    if (!custom || this.#targets.size === 0) return step;
    const mapped: StepEvent = { ...step, custom: { ...custom } };
    for (const name of Object.keys(custom)) {
      const target = this.#targets.get(name);
      if (target && put(mapped, target, custom[name] as number)) delete mapped.custom?.[name];
    }
    if (mapped.custom && Object.keys(mapped.custom).length === 0) delete mapped.custom;
    return mapped;
  }
}

function targetsOf(names: RunNames): Map<string, MetricTarget> {
  return new Map(Object.entries(names).map(([target, name]) => [name, target as MetricTarget]));
}

/** @returns false where the field holds no such value, or has one: it stays under its own name then. */
function put(step: StepEvent, target: MetricTarget, value: number): boolean {
  if (target === EVAL_LOSS) {
    if (!step.custom || Object.hasOwn(step.custom, EVAL_LOSS)) return false;
    step.custom[EVAL_LOSS] = value;
    return true;
  }
  const isHeld = target !== 'tokens' || (Number.isSafeInteger(value) && value >= 0);
  if (!isHeld || step[target] != null) return false;
  step[target] = value;
  return true;
}
