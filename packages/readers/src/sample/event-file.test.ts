import { expect, test } from 'vitest';
import { tensorboard } from '../tensorboard/format.ts';
import { decode, lossesOf, rowsIn } from '../testing.ts';
import { eventFile } from './event-file.ts';

test('a sample of an event file reads as it was written, and is about as long as it was asked to be', () => {
  const chunks = [...eventFile(200_000, ['train/loss', 'lr'], 1_700_000_000)];
  const { found, end } = decode(tensorboard, chunks);
  expect(lossesOf([...found, ...end()])).toEqual({});
  const rows = rowsIn(found);
  expect(rows.slice(0, 4)).toEqual([
    [0, { 'train/loss': 0 }],
    [0, { lr: 1 }],
    [1, { 'train/loss': Math.fround(Math.sin(1)) }],
    [1, { lr: Math.fround(1 + Math.sin(1)) }],
  ]);
  expect(rows.at(-1)?.[0]).toBe(rows.length / 2 - 1);
  expect(found[3]).toMatchObject({ time: 1_700_000_000_100 });
  const bytes = Buffer.concat(chunks).length;
  expect(bytes).toBeGreaterThanOrEqual(200_000);
  expect(bytes).toBeLessThan(400_000);
});
