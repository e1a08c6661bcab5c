import { expect, test } from 'vitest';
import { evenkeel } from './evenkeel.ts';

/** A bench starts several processes, one after another. */
const PATIENT = { timeout: 600_000 };
const above0 = expect.toSatisfy((value) => value > 0);

async function bench(args: readonly string[]): Promise<Record<string, unknown>[]> {
  await using run = evenkeel(['bench', ...args, '--json'], { DATABASE_URL: '' });
  expect([await run.ended, run.output()]).toEqual([0, expect.stringContaining('{')]);
  return run
    .facts()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('bench doors logs as clients of MLflow and of W&B, each batch of which is taken', PATIENT, async () => {
  const taken = { valuesPerSecond: above0, answers: { p50: above0 }, cpuPerValue: { server: above0 }, failure: null };
  expect(await bench(['doors', '--clients', '3', '--duration', '3', '--warmup', '1'])).toMatchObject([
    { server: 'evenkeel', client: 'mlflow', database: 'PGlite', ...taken },
    { server: 'evenkeel', client: 'wandb', database: 'PGlite', ...taken },
  ]);
});

test('bench files decodes and imports event files', PATIENT, async () => {
  const speed = { megabytesPerSecond: above0, valuesPerSecond: above0 };
  expect(await bench(['files', '--size', '1', '--runs', '2'])).toMatchObject([
    { what: 'decode', ...speed, peakBytes: null },
    { what: 'import --dry-run', ...speed, peakBytes: above0 },
    { what: 'import', ...speed, peakBytes: above0 },
  ]);
});
