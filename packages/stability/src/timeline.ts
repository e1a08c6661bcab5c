// What a later attempt does to the earlier ones, in one place: an attempt owns the run's steps from its first on, until
// the first step of any later attempt. What it takes over is superseded, and stays as a ghost.

/** As much of an attempt as its place in the timeline needs. Both steps are null where it has sent none. */
export interface AttemptSpan {
  number: number;
  firstStep: number | null;
  lastStep: number | null;
}

/** Steps of one attempt, both ends included. */
export interface StepSpan {
  attempt: number;
  first: number;
  last: number;
}

/**
 * The steps that each attempt owns, in their order; an attempt that owns none is not among them.
 * @param attempts in the order of their numbers.
 */
export function ownedSpans(attempts: readonly AttemptSpan[]): StepSpan[] {
  return splitSpans(attempts).flatMap(({ owned }) => owned ?? []);
}

/**
 * The steps of each attempt that a later one has taken over, the newest attempt first.
 * @param attempts in the order of their numbers.
 */
export function supersededSpans(attempts: readonly AttemptSpan[]): StepSpan[] {
  return splitSpans(attempts)
    .reverse()
    .flatMap(({ superseded }) => superseded ?? []);
}

function splitSpans(attempts: readonly AttemptSpan[]): { owned: StepSpan | null; superseded: StepSpan | null }[] {
  let until = Number.POSITIVE_INFINITY;
  const split = attempts.toReversed().map(({ number, firstStep, lastStep }) => {
    if (firstStep === null || lastStep === null) return { owned: null, superseded: null };
    const span = (first: number, last: number) => (first <= last ? { attempt: number, first, last } : null);
    const parts = {
      owned: span(firstStep, Math.min(lastStep, until - 1)),
      superseded: span(Math.max(firstStep, until), lastStep),
    };
    until = Math.min(until, firstStep);
    return parts;
  });
  return split.reverse();
}

/** The steps that a run stands on, gathered from the steps of its attempts in any order of arrival. */
export class Timeline<Step extends { step: number }> {
  readonly #firsts = new Map<number, number>();
  readonly #steps = new Map<number, { attempt: number; step: Step }[]>();

  /** Takes a step of an attempt; one that comes again adds and overwrites the fields that it carries. */
  add(attempt: number, step: Step): void {
    this.#firsts.set(attempt, Math.min(step.step, this.#firsts.get(attempt) ?? Number.POSITIVE_INFINITY));
    const known = this.#steps.get(step.step) ?? [];
    const same = known.find((each) => each.attempt === attempt);
    if (same) same.step = mergeFields(same.step, step);
    else this.#steps.set(step.step, [...known, { attempt, step }]);
  }

  /** In order. */
  steps(): Step[] {
    const numbers = [...this.#steps.keys()].sort((one, other) => one - other);
    return numbers.flatMap((number) => {
      const owner = this.#ownerOf(number);
      return this.#steps.get(number)?.find(({ attempt }) => attempt === owner)?.step ?? [];
    });
  }

  /** The latest attempt that has begun at or before a step. */
  #ownerOf(step: number): number {
    const begun = [...this.#firsts].filter(([, first]) => first <= step);
    return Math.max(...begun.map(([attempt]) => attempt));
  }
}

function mergeFields<Fields extends object>(known: Fields, added: Fields): Fields {
  const carried = Object.entries(added).filter(([, value]) => value != null);
  const merged = carried.map(([name, value]) => {
    const former = (known as Record<string, unknown>)[name];
    return [name, isPlainObject(former) && isPlainObject(value) ? { ...former, ...value } : value];
  });
  return { ...known, ...Object.fromEntries(merged) };
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An attempt that has steps, and whose first is known before they are read. */
export interface StartedAttempt {
  number: number;
  firstStep: number;
}

/**
 * Lets who reads the steps of a run in order, attempt after attempt and the superseded ones too, go back to what was
 * known before a later attempt's first step. Keeps one state for each later attempt that begins ahead.
 */
export class RewindPoints<State> {
  readonly #attempts: readonly StartedAttempt[];
  readonly #fresh: State;
  #kept: { firstStep: number; state: State }[] = [];
  /** Where later attempts begin that have not been reached yet, descending. */
  #ahead: number[] = [];
  /** The last step that was seen of the timeline as it stands at the current attempt; null before the first. */
  #last: number | null = null;

  /** @param fresh the state before any step. */
  constructor(attempts: readonly StartedAttempt[], fresh: State) {
    this.#attempts = attempts;
    this.#fresh = fresh;
  }

  /**
   * An attempt begins.
   * @param save gives the state as it is.
   * @returns the state to go on from; null where the attempt begins after all that was seen: what is known then holds.
   */
  begin({ number, firstStep }: StartedAttempt, save: () => State): State | null {
    const isAfterAll = this.#last === null || firstStep > this.#last;
    if (isAfterAll) this.advanceTo(firstStep, save); // later attempts may begin in the gap
    const known = this.#kept.find((kept) => kept.firstStep === firstStep);
    this.#kept = this.#kept.filter((kept) => kept.firstStep <= firstStep);
    const later = this.#attempts.filter((attempt) => attempt.number > number && attempt.firstStep >= firstStep);
    this.#ahead = [...new Set(later.map((attempt) => attempt.firstStep))].sort((one, other) => other - one);
    this.#last = firstStep;
    return isAfterAll ? null : known ? known.state : this.#fresh;
  }

  /** A step is about to be taken: keeps the state for the later attempts that begin at it, or between it and the last. */
  advanceTo(step: number, save: () => State): void {
    while ((this.#ahead.at(-1) ?? Number.POSITIVE_INFINITY) <= step) {
      this.#kept.push({ firstStep: this.#ahead.pop() as number, state: save() });
    }
    this.#last = step;
  }
}
