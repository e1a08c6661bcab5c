import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Signals } from '../signals.ts';
import { type LossMotion, LossTrail } from './loss-trail.ts';

type Step = Signals & { loss: number };

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const middle = (values: readonly number[]) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (Number(sorted[Math.ceil(sorted.length / 2) - 1]) + Number(sorted[Math.floor(sorted.length / 2)])) / 2;
};
const logs = (values: readonly (number | null | undefined)[]) =>
  values.flatMap((value) => (value != null && value > 0 && Number.isFinite(value) ? [Math.log(value)] : []));

/** All of it from all steps of the run, by the definitions. */
function slowMotion(steps: readonly Step[]): LossMotion | null {
  const newest = (among: readonly Step[], span: number, count: number) => {
    const last = Number(among.at(-1)?.step);
    const recent = among.filter(({ step }) => step > last - span);
    return recent.length < count ? among.slice(-count) : recent;
  };
  const [first, last] = [Number(steps[0]?.step), steps.at(-1) as Step];
  if (last.step - first < 40 || steps.length < 5) return null;
  const means = steps.flatMap(({ step }, at) => {
    if (step - first < 9 || at + 1 < 4) return [];
    return [average(newest(steps.slice(0, at + 1), 10, 4).map(({ loss }) => loss))];
  });
  const best = Math.min(...means);
  const learned = Math.max(0.4, middle(steps.slice(0, 3).map(({ loss }) => loss)) - best);
  const window = newest(steps, 40, 5);
  const [x, y] = [average(window.map(({ step }) => step)), average(window.map(({ loss }) => loss))];
  const squares = window.reduce((sum, { step }) => sum + (step - x) ** 2, 0);
  const slope = window.reduce((sum, { step, loss }) => sum + (step - x) * (loss - y), 0) / squares;
  const residuals = window.reduce((sum, { step, loss }) => sum + (loss - y - slope * (step - x)) ** 2, 0);
  const error = Math.sqrt(residuals / (window.length - 2) / squares);
  const news = newest(steps, 5, 3);
  const before = newest(steps, 40, 12).filter((step) => !news.includes(step));
  const [now, then] = [logs(news.map(({ gradNorm }) => gradNorm)), logs(before.map(({ gradNorm }) => gradNorm))];
  const start = Number(window[0]?.step);
  const earlier = logs(steps.filter(({ step }) => step <= start).map(({ lr }) => lr));
  const [lr] = logs([last.lr]);
  return {
    from: start,
    learned,
    rise: (middle(window.slice(-5).map(({ loss }) => loss)) - best) / learned,
    slope: (40 * (slope - error)) / learned,
    normGrowth: now.length > 0 && then.length > 0 ? average(now) - average(then) : null,
    lrGrowth: lr !== undefined && earlier.length > 0 ? lr - Math.max(...earlier) : null,
  };
}

const positive = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: 1e-4, max: 10, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(null, 0, -1, Number.NaN, Number.POSITIVE_INFINITY) },
);
const run = fc
  .tuple(
    fc.constantFrom(1, 3, 25),
    fc.array(fc.tuple(fc.nat(2), fc.double({ min: 0.5, max: 12, noNaN: true }), positive, positive), {
      minLength: 6,
      maxLength: 120,
      size: 'max',
    }),
  )
  .map(([every, rows]) => {
    let step = -1;
    return rows.map(([gap, loss, gradNorm, lr]): Step => {
      step += every * (1 + gap);
      return { step, loss, gradNorm, lr };
    });
  });

/** Rounded, for sums in another order differ in the last digits. */
function rounded(motion: LossMotion | null): unknown {
  if (!motion) return null;
  return Object.fromEntries(
    Object.entries(motion).map(([name, value]) => [name, value === null ? null : expect.closeTo(value, 6)]),
  );
}

test('the motion of the loss at each step is what its definition gives on all steps up to it', () => {
  fc.assert(
    fc.property(run, (steps) => {
      const trail = new LossTrail();
      steps.forEach((step, at) => {
        expect(trail.add(step, step.loss)).toEqual(rounded(slowMotion(steps.slice(0, at + 1))));
      });
    }),
  );
});

test('a rewind forgets the losses from there on, and all once none is left', () => {
  const steps = Array.from({ length: 60 }, (_, step) => ({ step, loss: 5 - step / 50, gradNorm: 1, lr: 1 }));
  const [rewound, straight] = [new LossTrail(), new LossTrail()];
  for (const step of steps) rewound.add(step, step.loss);
  rewound.rewind(50);
  for (const step of steps.slice(0, 50)) straight.add(step, step.loss);
  expect(rewound.state().points.slice(-12)).toEqual(straight.state().points.slice(-12));
  rewound.rewind(0);
  expect(rewound.state()).toEqual(new LossTrail().state());
});

test('what is rewound is neither among the first losses nor the best', () => {
  const learning = Array.from({ length: 48 }, (_, step) => ({ step, loss: 5 - step / 50, gradNorm: 1, lr: 1 }));
  const astray = learning.map((step) => ({ ...step, loss: 0.5 }));
  const straight = new LossTrail();
  for (const step of learning) straight.add(step, step.loss);
  for (const [from, to] of [
    [1, 3],
    [20, 40],
  ] as const) {
    const rewound = new LossTrail();
    for (const step of [...learning.slice(0, from), ...astray.slice(from, to)]) rewound.add(step, step.loss);
    rewound.rewind(from);
    for (const step of learning.slice(from)) rewound.add(step, step.loss);
    expect(rewound.state()).toEqual(straight.state());
  }
});
