/** Where the steps of an attempt lie, and which of their numbers look wrong: only what lies ahead of all others can. */
export interface StepBounds {
  /** Of all but the outliers; null where there is no step. */
  first: number | null;
  last: number | null;
  /** Ascending, each after the last step. */
  outliers: readonly number[];
  /** Jumps that later steps may yet show to be wrong, in the order in which they came. */
  jumps: readonly Jump[];
}

/** The step numbers jumped, and what has come since: whether the steps go on from behind the jump, or from before it. */
export interface Jump {
  /** The last step before; null where the jump is to the first step of all. */
  from: number | null;
  /** Steps from where it led to on, that one first. */
  beyond: readonly number[];
  /** Steps that came later and lie between. */
  back: readonly number[];
}

/** The bounds of an attempt without steps. */
export const NO_STEPS: StepBounds = { first: null, last: null, outliers: [], jumps: [] };

/** A step is an outlier at once where it is ahead by more than this, and by more than so many times the span of all others. */
const MIN_JUMP = 10_000;
const JUMP_SPANS = 100;
/** With a shorter span it is not known yet how far apart the steps of an attempt lie. */
const MIN_SPAN = 10;
/** So many steps go on from where the first of them jumped to: the jump is real. As many go on from before: it is not. */
const CONFIRMED_BY = 3;
/** What goes on from a jump lies at most so many times as far apart as the jump is wide. */
const CLUSTER_JUMPS = 10;
/** More than so many are not one wrong number any more: all of them count as steps. */
const MAX_OUTLIERS = 16;
/** Steps that are ahead by no more than this are no jump: they overtake each other on their way. */
const MAX_OVERTAKEN = 100;

/**
 * The bounds with more steps, in the order in which they came.
 *
 * A step that jumps ahead by more than 10,000 and by more than 100 times the span so far is an outlier, until two further
 * steps have gone on from it. Any other jump of more than 100 counts, until later steps fall back below it: once three or
 * more of them lie in its gap, and more than have come beyond it, it was wrong, and what lies beyond it are outliers. A
 * step behind the gap, such as a late evaluation, says nothing of the jump; nor does any once 16 steps have followed it.
 * An outlier that the steps reach or pass is a step again.
 * @param ignored steps that a person has removed: they change nothing.
 */
export function extendBounds(known: StepBounds, steps: readonly number[], ignored: readonly number[] = []): StepBounds {
  const added = ignored.length > 0 ? steps.filter((step) => !ignored.includes(step)) : steps;
  const ahead = goingOn(known, added);
  const last = added[ahead - 1] ?? known.last;
  return added.slice(ahead).reduce(take, { ...known, last });
}

/** How many of the steps, from the first on, just go on from those before, as nearly all do: they move the last alone. */
function goingOn({ last: before, outliers, jumps }: StepBounds, steps: readonly number[]): number {
  if (before === null || outliers.length > 0 || jumps.length > 0) return 0;
  let last = before;
  let at = 0;
  for (const step of steps) {
    if (step <= last || step - last > MAX_OVERTAKEN) break;
    last = step;
    at += 1;
  }
  return at;
}

/**
 * The bounds without a step that a person has removed.
 * @param others first and last of the steps that are left, without outliers.
 */
export function withoutStep(known: StepBounds, step: number, others: Pick<StepBounds, 'first' | 'last'>): StepBounds {
  const without = (steps: readonly number[]) => steps.filter((each) => each !== step);
  const jumps = known.jumps.map((jump) => ({ ...jump, beyond: without(jump.beyond), back: without(jump.back) }));
  return { ...others, outliers: without(known.outliers), jumps: jumps.filter(({ beyond }) => beyond.length > 0) };
}

/** The bounds with a step that a person brings back: ahead of all others by a jump it is an outlier, since they came later. */
export function withStep(known: StepBounds, step: number): StepBounds {
  const { last } = known;
  return last !== null && step - last > MAX_OVERTAKEN ? wait(known, last, step) : take(known, step);
}

/** The lowest step that counted, and is an outlier by what came since; null where there is none. */
export function refuted(before: StepBounds, after: StepBounds): number | null {
  const { last, outliers } = before;
  const marked = after.outliers.filter((step) => last !== null && step <= last && !outliers.includes(step));
  return marked[0] ?? null;
}

/** Whether outliers count as steps by now since others have gone on from them; not where the others have reached them. */
export function isConfirmed(before: StepBounds, after: StepBounds): boolean {
  return before.outliers.some((step) => after.jumps.some(({ beyond }) => beyond.includes(step)));
}

function take(known: StepBounds, step: number): StepBounds {
  const { first, last } = known;
  if (first === null || last === null) {
    const jump: Jump = { from: null, beyond: [step], back: [] };
    return { ...known, first: step, last: step, jumps: [jump] };
  }
  if (step > last) return advance(known, { first, last }, step);
  return weigh({ ...known, first: Math.min(first, step) }, step);
}

function advance(known: StepBounds, span: { first: number; last: number }, step: number): StepBounds {
  const { last } = span;
  const isJump = step - last > MAX_OVERTAKEN;
  if (isJump && known.outliers.includes(step)) return known; // it was sent again
  if (step > maxPlausible(span)) return wait(known, last, step);
  const passed = known.outliers.filter((each) => each < step);
  const outliers = known.outliers.filter((each) => each > step);
  return count({ ...known, last: step, outliers }, isJump ? last : null, [...passed, step]);
}

/** The greatest step that is no outlier at once. */
function maxPlausible({ first, last }: { first: number; last: number }): number {
  if (last - first < MIN_SPAN) return Number.POSITIVE_INFINITY;
  return last + Math.max(MIN_JUMP, JUMP_SPANS * (last - first));
}

/** A step is an outlier, until others go on from it. */
function wait(known: StepBounds, last: number, step: number): StepBounds {
  const outliers = ascending([...known.outliers, step]);
  if (!isReal(last, outliers, step)) return { ...known, outliers };
  return count({ ...known, last: outliers.at(-1) ?? last, outliers: [] }, last, outliers);
}

function isReal(last: number, outliers: readonly number[], newest: number): boolean {
  if (outliers.length > MAX_OUTLIERS) return true;
  return outliers.some((start, at) => {
    const end = outliers[at + CONFIRMED_BY - 1];
    return end !== undefined && start <= newest && newest <= end && end - start <= CLUSTER_JUMPS * (start - last);
  });
}

/** @param from where the steps jumped from; null where they did not jump. */
function count(known: StepBounds, from: number | null, steps: readonly number[]): StepBounds {
  const [to] = steps;
  const isJump = from !== null && to !== undefined;
  const jumps = isJump ? [...known.jumps, { from, beyond: [to], back: [] }] : known.jumps;
  return steps.reduce(weigh, { ...known, jumps });
}

/** A step that counts speaks for or against each jump. */
function weigh(known: StepBounds, step: number): StepBounds {
  if (known.jumps.length === 0) return known;
  const jumps = known.jumps.map((jump) => weighed(jump, step)).filter(isOpen);
  const wrong = jumps.find(({ beyond, back }) => back.length >= CONFIRMED_BY && back.length > beyond.length);
  return wrong ? leaveOut({ ...known, jumps }, wrong) : { ...known, jumps };
}

function weighed(jump: Jump, step: number): Jump {
  const { from, beyond, back } = jump;
  const [to = step] = beyond;
  if (step >= to) return beyond.includes(step) ? jump : { ...jump, beyond: [...beyond, step] };
  const isBetween = from === null || step > from;
  return isBetween && !back.includes(step) ? { ...jump, back: [...back, step] } : jump;
}

/** Neither have too many steps followed the jump, nor have steps come so close to where it led that it is none. */
function isOpen({ beyond, back }: Jump): boolean {
  const [to = 0] = beyond;
  return beyond.length <= MAX_OUTLIERS && back.every((step) => to - step > MAX_OVERTAKEN);
}

/** The jump was wrong: the steps end where they have fallen back to. */
function leaveOut(known: StepBounds, { from, beyond, back }: Jump): StepBounds {
  const others = known.jumps.map((jump) => ({ ...jump, beyond: jump.beyond.filter((step) => !beyond.includes(step)) }));
  return {
    first: from === null ? Math.min(...back) : known.first,
    last: Math.max(...back),
    outliers: ascending([...known.outliers, ...beyond]),
    jumps: others.filter((jump) => jump.beyond.length > 0),
  };
}

function ascending(steps: readonly number[]): number[] {
  return [...new Set(steps)].sort((one, other) => one - other);
}
