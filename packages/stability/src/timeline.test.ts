import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ownedSpans, RewindPoints, supersededSpans, Timeline } from './timeline.ts';

interface Sent {
  attempt: number;
  step: number;
  loss?: number | null;
  custom?: Record<string, number>;
}

/** Steps of up to five attempts, in any order, some again. */
const sent = fc.array(fc.record({ attempt: fc.integer({ min: 1, max: 5 }), step: fc.integer({ min: -5, max: 20 }) }), {
  maxLength: 60,
});

/** By the definition: of each step, the highest attempt that has begun at or before it, if that attempt has the step. */
function referenceOf(all: readonly Sent[]): Map<number, number> {
  const owners = new Map<number, number>();
  for (const { step } of all) {
    const begun = all.filter((one) => one.step <= step).map(({ attempt }) => attempt);
    const owner = Math.max(...begun);
    if (all.some((one) => one.attempt === owner && one.step === step)) owners.set(step, owner);
  }
  return owners;
}

function spansOf(all: readonly Sent[]) {
  const numbers = [...new Set(all.map(({ attempt }) => attempt))].sort();
  return numbers.map((number) => {
    const own = all.filter(({ attempt }) => attempt === number).map(({ step }) => step);
    return { number, firstStep: Math.min(...own), lastStep: Math.max(...own) };
  });
}

test('an attempt owns every step from its first on until a later one begins, in whatever order steps come', () => {
  fc.assert(
    fc.property(sent, (all) => {
      const expected = [...referenceOf(all)].sort(([one], [other]) => one - other);
      const timeline = new Timeline<Sent>();
      for (const one of all) timeline.add(one.attempt, one);
      expect(timeline.steps().map(({ step, attempt }) => [step, attempt])).toEqual(expected);

      const owned = ownedSpans(spansOf(all));
      const superseded = supersededSpans(spansOf(all));
      const holds = (spans: typeof owned, { attempt, step }: Sent) =>
        spans.some((span) => span.attempt === attempt && span.first <= step && step <= span.last);
      for (const one of all) {
        const isOwned = referenceOf(all).get(one.step) === one.attempt;
        expect([holds(owned, one), holds(superseded, one)]).toEqual([isOwned, !isOwned]);
      }
      owned.forEach(({ first }, at) => {
        expect(first).toBeGreaterThan(owned[at - 1]?.last ?? Number.NEGATIVE_INFINITY);
      });
    }),
  );
});

test('a step that comes again adds and overwrites the fields that it carries', () => {
  const timeline = new Timeline<Sent>();
  timeline.add(1, { attempt: 1, step: 0, loss: 1, custom: { a: 1 } });
  timeline.add(1, { attempt: 1, step: 0, loss: null, custom: { b: 2 } });
  expect(timeline.steps()).toEqual([{ attempt: 1, step: 0, loss: 1, custom: { a: 1, b: 2 } }]);
  timeline.add(1, { attempt: 1, step: 0, loss: 3 });
  expect(timeline.steps()).toMatchObject([{ loss: 3, custom: { a: 1, b: 2 } }]);
});

test('who reads attempt after attempt stands, at every later one, on the timeline before its first step', () => {
  const lengths = fc.array(
    fc.record({ first: fc.integer({ min: 0, max: 30 }), steps: fc.integer({ min: 1, max: 20 }) }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(lengths, (attempts) => {
      const started = attempts.map(({ first }, at) => ({ number: at + 1, firstStep: first }));
      const points = new RewindPoints<readonly number[]>(started, []);
      let seen: readonly number[] = [];
      const timeline = new Timeline<{ step: number }>();
      attempts.forEach(({ first, steps }, at) => {
        seen = points.begin({ number: at + 1, firstStep: first }, () => seen) ?? seen;
        expect(seen).toEqual(timeline.steps().flatMap(({ step }) => (step < first ? [step] : [])));
        for (let step = first; step < first + steps; step++) {
          points.advanceTo(step, () => seen);
          seen = [...seen, step];
          timeline.add(at + 1, { step });
        }
        expect(seen).toEqual(timeline.steps().map(({ step }) => step));
      });
    }),
  );
});
