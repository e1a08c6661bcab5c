import { expect, it } from 'vitest';
import { columnAt, heatPixels, heatScale, heatShare, viridis } from './heat-scale.ts';

it('runs from viridis purple to yellow and stays there', () => {
  expect(viridis(0)).toEqual([68, 1, 84]);
  expect(viridis(1)).toEqual([253, 231, 37]);
  expect(viridis(7)).toEqual(viridis(1));
  expect(viridis(0.5)).toEqual([33, 145, 140]); // matplotlib's #21918c
});

it('gets lighter all the way', () => {
  const lightness = ([r, g, b]: readonly number[]) => 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0);
  const shades = Array.from({ length: 101 }, (_, at) => lightness(viridis(at / 100)));
  expect(shades).toEqual(shades.toSorted((a, b) => a - b));
});

it('spans the positive values and places them by logarithm', () => {
  const scale = heatScale([[0, null, 1e-4], [1e-2], []]);
  expect(scale).toEqual({ low: 1e-4, high: 1e-2 });
  if (!scale) return;
  expect(heatShare(1e-3, scale)).toBeCloseTo(0.5, 10);
  expect(heatShare(0, scale)).toBe(0);
  expect(heatScale([[0, null]])).toBeNull();
});

it('finds the column of a step, and none in a gap', () => {
  const heat = { steps: [0, 10, 40], columnSteps: 10 };
  expect([-1, 0, 9, 10, 19, 20, 39, 49, 50].map((step) => columnAt(heat, step))).toEqual([
    -1, 0, 0, 1, 1, -1, -1, 2, -1,
  ]);
});

it('has no holes where a column is missed now and then', () => {
  const heat = { steps: [0, 4, 12, 16], columnSteps: 4 };
  expect([3, 8, 11, 12, 19, 20].map((step) => columnAt(heat, step))).toEqual([0, 1, 1, 2, 3, -1]);
});

it('paints steps from left to right and layers from the top, and leaves holes clear', () => {
  const heat = {
    steps: [0, 1],
    columnSteps: 1,
    columns: [
      [1, null],
      [10, 100],
    ],
  };
  const pixels = heatPixels(heat, (share) => 2 * share, 2, 2, { low: 1, high: 100 });
  const pixel = (x: number, layer: number) => [...pixels.slice((layer * 2 + x) * 4, (layer * 2 + x) * 4 + 4)];
  expect(pixel(0, 0)).toEqual([...viridis(0), 255]);
  expect(pixel(0, 1)).toEqual([0, 0, 0, 0]);
  expect(pixel(1, 0)).toEqual([...viridis(0.5), 255]);
  expect(pixel(1, 1)).toEqual([...viridis(1), 255]);
});
