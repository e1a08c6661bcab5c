import { expect, test } from 'vitest';
import { BatchSize } from './batch-size.ts';

const KIB = 1024;
const sizeOf = () => new BatchSize({ quickAnswer: 1_000, lateAnswer: 4_000 });

test('the next batch shrinks when an answer was late, and grows again with quick ones', () => {
  const size = sizeOf();
  const answer = (elapsed: number) => {
    size.answered(size.bytes, elapsed);
    return size.bytes / KIB;
  };
  expect(size.bytes / KIB).toBe(80);
  expect([10_000, 5_000, 2_500].map(answer)).toEqual([40, 20, 20]);
  expect([60_000, 60_000].map(answer)).toEqual([16, 16]);
  expect([10, 10, 10, 10, 10, 10, 10].map(answer)).toEqual([32, 64, 128, 256, 512, 1023, 1023]);
});

test('a quick answer to a small batch says nothing about a large one', () => {
  const size = sizeOf();
  for (let time = 0; time < 10; time++) size.answered(300, 5);
  expect(size.bytes / KIB).toBe(80);
  size.answered(20 * KIB, 10_000); // a link that was quick once
  expect(size.bytes / KIB).toBe(16);
});

test('a batch that outlasted its connection shrinks down to a step, one that was just sent does not', () => {
  const size = sizeOf();
  size.broke(size.bytes, 100);
  expect(size.bytes / KIB).toBe(80);
  for (let time = 0; time < 30; time++) size.broke(size.bytes, 20_000);
  expect(size.bytes).toBe(1);
});
