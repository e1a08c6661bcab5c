import { expect, it } from 'vitest';
import type { ChartView, Drawn, Line } from './chart-view.ts';
import { SKETCH_SIZE, sketchOf } from './sketch.ts';
import { STEP_AXIS } from './x-axis.ts';

const SOLID: Line = { ink: 'line', width: 1, dots: 'never' };

function view(lines: Line[], bands: ChartView['bands'] = []): ChartView {
  const read = () => {
    throw new Error('not read here');
  };
  return { key: 'loss', title: 'Loss', unit: null, scale: 'auto', lines, bands, read };
}

function drawn(steps: number[], ...lines: (number | null | undefined)[][]): Drawn {
  return { steps, lines, nonFinite: steps.map(() => 0), extent: null, words: () => '' };
}

function axes(steps: readonly [number, number], log = false) {
  return { log, steps, xAxis: STEP_AXIS };
}

/** The corners that a path of `M`, `l`, `h` and `z` goes through, a list for each `M`. */
function corners(path: string): [number, number][][] {
  const found: [number, number][][] = [];
  let [x, y] = [0, 0];
  for (const [, letter, rest = ''] of path.matchAll(/([Mlhz])([^Mlhz]*)/g)) {
    const [dx = 0, dy = 0] = rest
      .trim()
      .split(/\s+|(?<=\d)(?=-)/)
      .map(Number);
    if (letter === 'z' || letter === 'h') continue;
    if (letter === 'M') {
      [x, y] = [dx, dy];
      found.push([]);
    } else [x, y] = [x + dx, y + dy];
    found.at(-1)?.push([x, y]);
  }
  return found;
}

/** Shares of the way from the left and from below. */
function shares(path: string): [number, number][][] {
  const { width, height } = SKETCH_SIZE;
  return corners(path).map((stretch) => stretch.map(([x, y]) => [x / width, 1 - y / height]));
}

it('puts each value where a linear axis has it, padded as the plot pads it', () => {
  const { lines, rows } = sketchOf(view([SOLID]), drawn([10, 15, 30], [100, 150, 200]), axes([10, 30]));
  // From 94 to 206: 6 % of the extent at either end.
  const expected = [100, 150, 200].map((value, at) => [[0, 0.25, 1][at], (value - 94) / 112]);
  expect(shares(lines[0] ?? '')).toHaveLength(1);
  shares(lines[0] ?? '')[0]?.forEach(([x, y], at) => {
    expect(x).toBeCloseTo(expected[at]?.[0] ?? -1, 3);
    expect(y).toBeCloseTo(expected[at]?.[1] ?? -1, 2);
  });
  for (const { label, at } of rows) expect(at).toBeCloseTo((Number(label) - 94) / 112, 6);
});

it('spaces decades evenly on a logarithmic axis, and lets what is not positive fall below it', () => {
  const { lines } = sketchOf(view([SOLID]), drawn([0, 1, 2, 3], [1, 10, 100, 0]), axes([0, 3], true));
  const [one, ten, hundred, zero] = (shares(lines[0] ?? '')[0] ?? []).map(([, y]) => y);
  expect((ten ?? 0) - (one ?? 0)).toBeCloseTo((hundred ?? 0) - (ten ?? 0), 2);
  expect(zero).toBeLessThan(0);
});

it('breaks a line at what is null, goes on over what is undefined, and shows a value that stands alone', () => {
  const { lines } = sketchOf(view([SOLID]), drawn([0, 1, 2, 3, 4], [1, undefined, 2, null, 3]), axes([0, 4]));
  expect(corners(lines[0] ?? '').map((stretch) => stretch.length)).toEqual([2, 1]);
  expect(lines[0]).toMatch(/h0$/);
});

it('goes on over null where a line spans its gaps', () => {
  const { lines } = sketchOf(view([{ ...SOLID, spansGaps: true }]), drawn([0, 1, 2], [1, null, 2]), axes([0, 2]));
  expect(corners(lines[0] ?? '').map((stretch) => stretch.length)).toEqual([2]);
});

it('fills between two lines, from the first forth and along the other back', () => {
  const bounded = view([SOLID, SOLID], [{ between: [0, 1], ink: 'band' }]);
  const { bands, lines } = sketchOf(bounded, drawn([0, 1, 2], [3, 4, null], [1, 2, 2]), axes([0, 2]));
  const [high = [], low = []] = lines.map((line) => corners(line)[0] ?? []);
  expect(corners(bands[0] ?? '')).toEqual([[high[0], high[1], low[1], low[0]]]);
});

it('draws empty axes where nothing was read', () => {
  const { lines, rows, columns } = sketchOf(view([SOLID]), drawn([], []), axes([0, 1]));
  expect(lines).toEqual(['']);
  expect(rows.length).toBeGreaterThan(1);
  expect(columns.map(({ label }) => label)).toEqual(['0', '1']);
});
