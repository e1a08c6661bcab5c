import { expect, it } from 'vitest';
import { BoardLayout } from './board-layout.ts';

const items = (layout: BoardLayout) => Array.from({ length: layout.length }, (_, place) => layout.at(place));

it('puts runs in a row where there are no groups', () => {
  const layout = new BoardLayout(3);
  expect(items(layout)).toEqual([{ run: 0 }, { run: 1 }, { run: 2 }]);
  expect(layout.placeOf(2)).toBe(2);
});

it('puts each group under its heading', () => {
  const [four, twelve, none] = [
    { value: '4', runs: 2 },
    { value: '12', runs: 1 },
    { value: null, runs: 1 },
  ] as const;
  const layout = new BoardLayout(4, [four, twelve, none]);
  expect(items(layout)).toEqual([
    ...[{ heading: four }, { run: 0 }, { run: 1 }],
    ...[{ heading: twelve }, { run: 2 }],
    ...[{ heading: none }, { run: 3 }],
  ]);
  expect([0, 1, 2, 3].map((run) => layout.placeOf(run))).toEqual([1, 2, 4, 6]);
});
