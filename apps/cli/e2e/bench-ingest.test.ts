import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { evenkeel } from './evenkeel.ts';

/** A bench starts a dozen processes, one after another. */
const PATIENT = { timeout: 600_000 };
const SMALL = ['--emitters', '3', '--processes', '2', '--viewers', '2', '--duration', '2', '--warmup', '1'];

async function bench(args: readonly string[], env: Record<string, string> = {}) {
  await using run = evenkeel(['bench', 'ingest', ...SMALL, ...args, '--json'], env);
  expect([await run.ended, run.output()]).toEqual([0, expect.stringContaining('{')]);
  return JSON.parse(run.facts());
}

const above0 = expect.toSatisfy((value) => value > 0);

test('bench ingest stores a load of custom scalars on the embedded database, and measures it', PATIENT, async () => {
  expect(await bench(['--scalars', '8'])).toMatchObject({
    build: 'now',
    stepsPerSecond: above0,
    copyStepsPerSecond: above0,
    echoStepsPerSecond: above0,
    acks: { p50: above0, p99: above0 },
    viewers: { p50: above0 },
    frames: above0,
    cpuPerStep: { client: above0, server: above0, database: above0 },
    memory: { peak: above0 },
    disk: { bytesPerStep: above0, bytesPerValue: above0 },
    warnings: [],
  });
});

const postgresUrl = inject('postgresUrl');

test.skipIf(!postgresUrl)('bench ingest leaves nothing behind on a PostgreSQL server', PATIENT, async () => {
  const measured = await bench(['--database', 'postgres', '--rate', '50', '--batch', '1'], {
    DATABASE_URL: postgresUrl ?? '',
  });
  expect(measured).toMatchObject({ stepsPerSecond: above0, cpuPerStep: { database: above0 }, warnings: [] });
  const client = new pg.Client(postgresUrl ?? '');
  await client.connect();
  const { rows } = await client.query("select datname from pg_database where datname like 'evenkeel_bench_%'");
  await client.end();
  expect(rows).toEqual([]);
});
