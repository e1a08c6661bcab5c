import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { divergenceOf } from './divergence.ts';

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

const recorded = new URL('../../../../../shared/runs/', import.meta.url);

test.skipIf(!existsSync(new URL('labels.json', recorded)))('the onsets of the recorded runs are found', () => {
  const labels: Record<string, { onset: number | null }> = JSON.parse(
    readFileSync(new URL('labels.json', recorded), 'utf8'),
  );
  const wrong = Object.entries(labels).filter(([run, { onset }]) => {
    const lines = gunzipSync(readFileSync(new URL(`${run}.jsonl.gz`, recorded)))
      .toString()
      .trim()
      .split('\n');
    const found = divergenceOf(lines.slice(1).map((line) => Number(JSON.parse(line).loss)));
    return found === null || onset === null ? found !== onset : Math.abs(found - onset) > 1;
  });
  // one in a hundred may differ: a loss that rises at once and comes down later, data that change for good
  expect(Object.keys(labels).length).toBeGreaterThan(0);
  expect(wrong.length / Object.keys(labels).length).toBeLessThan(0.01);
});
