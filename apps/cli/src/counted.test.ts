import { expect, test } from 'vitest';
import { counted } from './counted.ts';

test.each([
  [0, 'steps', '0 steps'],
  [1, 'steps', '1 step'],
  [2, 'steps', '2 steps'],
  [1, 'values of losses', '1 value of losses'],
  [1, 'lists of tags', '1 list of tags'],
  [1, 'console lines', '1 console line'],
  [1, 'rows: their steps differ', '1 row: their steps differ'],
  [1, 'audio', '1 audio'],
])('%d of %s are %s', (count, what, text) => {
  expect(counted(count, what)).toBe(text);
});
