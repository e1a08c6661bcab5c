import { expect, test } from 'vitest';
import { Divergence, divergedAt } from './divergence.ts';

const divergenceOf = (losses: readonly number[]) => divergedAt(losses.map((loss, step) => ({ step, loss })));

/** Learns from 5 down to 2 over 100 losses; what `change` makes of each. */
const learning = (change: (loss: number, at: number) => number = (loss) => loss) =>
  Array.from({ length: 200 }, (_, at) => change(5 - 3 * Math.min(1, at / 100), at));

test('a run that learns does not diverge, nor does one with a few bad batches', () => {
  expect(divergenceOf(learning())).toBeNull();
  expect(divergenceOf(learning((loss, at) => (at >= 120 && at < 124 ? 50 : loss)))).toBeNull();
  expect(divergenceOf(learning((loss, at) => (at >= 120 && at < 150 ? 5 : loss)))).toBeNull(); // it recovers
  expect(divergenceOf([])).toBeNull();
});

test('one that loses half of what it had learned for good does', () => {
  // five of nine losses must be up for their median to be
  expect(divergenceOf(learning((loss, at) => (at >= 120 ? 3.6 : loss)))).toBe(124);
  expect(divergenceOf(learning((loss, at) => (at >= 120 ? 3.4 : loss)))).toBeNull();
  expect(divergenceOf(learning((loss, at) => (at >= 190 ? 5 : loss)))).toBe(194); // up to its end
});

test('so does one whose loss is no number any more, from where it rose', () => {
  expect(divergenceOf([5, 4, Number.NaN])).toBe(2);
  expect(divergenceOf([Number.POSITIVE_INFINITY])).toBe(0);
  expect(divergenceOf([...learning((loss, at) => (at >= 120 ? 9 : loss)).slice(0, 130), Number.NaN])).toBe(124);
});

test('a gradient, a variance or a TEV that is not finite ends a run as a loss does, also at a step without one', () => {
  const steps = learning().map((loss, step) => ({ step, loss }));
  for (const field of ['tevMean', 'gradVar', 'gradNorm'] as const)
    expect(divergedAt([...steps, { step: 200, [field]: Number.NaN }, { step: 201, loss: 2 }])).toBe(200);
});

test('goes on from its state as one that never stopped', () => {
  const losses = learning((loss, at) => (at >= 120 ? 3.6 : loss));
  for (let cut = 0; cut < losses.length; cut += 7) {
    const [whole, before] = [new Divergence(), new Divergence()];
    losses.forEach((loss, step) => {
      whole.observe({ step, loss });
      if (step < cut) before.observe({ step, loss });
    });
    const restored = new Divergence(JSON.parse(JSON.stringify(before.state())));
    losses.slice(cut).forEach((loss, at) => {
      restored.observe({ step: cut + at, loss });
    });
    expect([restored.atEnd, restored.state()]).toEqual([124, whole.state()]);
  }
});
