/** Where the steps of an attempt lie, and which of their numbers lie so far ahead of all others that they look wrong. */
export interface StepBounds {
  /** Of all but the outliers; null where there is no step. */
  first: number | null;
  last: number | null;
  /** Ascending. */
  outliers: readonly number[];
}

export const NO_STEPS: StepBounds = { first: null, last: null, outliers: [] };

/** A step is an outlier where it is ahead by more than this, and by more than so many times the span of all others. */
const MIN_JUMP = 10_000;
const JUMP_SPANS = 100;
/** With a shorter span it is not known yet how far apart the steps of an attempt lie. */
const MIN_SPAN = 10;
/** So many steps go on from where the first of them jumped to: the jump is real. */
const CONFIRMED_BY = 3;
/** What goes on from a jump lies at most so many times as far apart as the jump is wide. */
const CLUSTER_JUMPS = 10;
/** More than so many are not one wrong number any more: all of them count as steps. */
const MAX_OUTLIERS = 16;

/**
 * The bounds with more steps, in whatever order they come. A step that jumps ahead by more than 10,000 and by more than
 * 100 times the span so far is an outlier, until two further steps have gone on from it or the others have come near.
 * @param ignored steps that a person has removed: they change nothing.
 */
export function extendBounds(known: StepBounds, steps: readonly number[], ignored: readonly number[] = []): StepBounds {
  const added = ignored.length > 0 ? steps.filter((step) => !ignored.includes(step)) : steps;
  if (added.length === 0) return known;
  const lowest = added.reduce((min, step) => Math.min(min, step), Number.POSITIVE_INFINITY);
  const highest = added.reduce((max, step) => Math.max(max, step), Number.NEGATIVE_INFINITY);
  if (known.outliers.length === 0 && known.first !== null && known.last !== null && highest <= reachOf(known)) {
    return { first: Math.min(known.first, lowest), last: Math.max(known.last, highest), outliers: [] };
  }
  return absorb(
    known,
    [...new Set([...known.outliers, ...added])].sort((one, other) => one - other),
  );
}

/** Takes steps, ascending, into the bounds for as long as they are near. */
function absorb(known: StepBounds, ascending: readonly number[]): StepBounds {
  let { first, last } = known;
  for (const [at, step] of ascending.entries()) {
    if (last !== null && step > reachOf({ first, last })) {
      const far = ascending.slice(at);
      if (!isReal(last, far)) return { first, last, outliers: far };
    }
    first = Math.min(first ?? step, step);
    last = Math.max(last ?? step, step);
  }
  return { first, last, outliers: [] };
}

/** The greatest step that is no outlier. */
function reachOf({ first, last }: Pick<StepBounds, 'first' | 'last'>): number {
  if (first === null || last === null || last - first < MIN_SPAN) return Number.POSITIVE_INFINITY;
  return last + Math.max(MIN_JUMP, JUMP_SPANS * (last - first));
}

function isReal(last: number, far: readonly number[]): boolean {
  if (far.length > MAX_OUTLIERS) return true;
  const [start, , third] = far;
  if (start === undefined || third === undefined || far.length < CONFIRMED_BY) return false;
  return third - start <= CLUSTER_JUMPS * (start - last);
}
