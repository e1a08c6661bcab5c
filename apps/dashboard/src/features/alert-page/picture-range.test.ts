import { expect, it } from 'vitest';
import { pictureRange } from './picture-range.ts';

const seen = (first: number, last: number, divergenceStep: number | null = null) => ({
  attempt: 1,
  window: [first, last] as const,
  divergenceStep,
});

it('shows the window and as much before it, and reads no step behind it', () => {
  expect(pictureRange(seen(400, 500), {})).toEqual({ from: 300, to: 500, view: { from: 300, to: 500 } });
  expect(pictureRange(seen(7, 7), {})).toEqual({ from: 0, to: 7, view: { from: 0, to: 7 } });
  expect(pictureRange(seen(-5, 5), {})).toMatchObject({ from: -35, to: 5 });
  expect(pictureRange(seen(0, 0), {})).toEqual({ from: 0, to: 0, view: { from: 0, to: 1 } });
});

it('makes room for the step at which divergence is expected, with some of it behind', () => {
  const { from, to, view } = pictureRange(seen(400, 500, 800), {});
  expect([from, to, view.from]).toEqual([100, 500, 100]);
  expect(view.to).toBeGreaterThan(800);
  expect(view.to).toBeLessThan(840);
  expect(pictureRange(seen(400, 500, 450), {}).view.to).toBe(500); // expected where it already is
});

it('zooms, and never reads what the alert did not see', () => {
  expect(pictureRange(seen(400, 500), { from: 450, to: 470 })).toMatchObject({ from: 450, to: 470 });
  const beyond = pictureRange(seen(400, 500), { from: 480, to: 600 });
  expect(beyond).toEqual({ from: 480, to: 500, view: { from: 480, to: 600 } });
  expect(pictureRange(seen(400, 500), { from: 900 })).toMatchObject({ from: 500, to: 500 });
});
