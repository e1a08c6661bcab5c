import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '@evenkeel/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { SqliteCopy } from '../sqlite-copy.ts';
import { lossesOf, readStore, SAMPLES, seriesOf } from '../testing.ts';
import { mlflow } from './format.ts';

const SAMPLE = join(SAMPLES, 'mlflow/mlflow.db');
const TABLES = ['experiments', 'runs', 'metrics', 'params', 'tags'];

/** What the sample holds, by its README. */
async function expectSample(path: string): Promise<void> {
  expect(await mlflow.matches(path)).toBe(true);
  const [base, child, failed, running, ...others] = await readStore(mlflow, path);
  expect(others).toEqual([]);
  expect(base?.run).toMatchObject({
    id: 'b4b3f2eb24fe408eb6bf7912ace216e2',
    project: 'samples',
    name: 'base',
    startedAt: 1_795_972_097_497,
    config: { lr: 0.1, bs: 8 },
    tags: ['note=hi'],
  });
  expect(seriesOf(base?.found ?? [])).toEqual({
    'train/loss': [
      ...[0, 1, 2].map((step) => [step, 1 / (step + 1)]),
      [3, 0.25],
      [3, 0.3],
      [4, 0.2],
      [5, Number.NaN],
      [6, Number.POSITIVE_INFINITY],
      [7, Number.NEGATIVE_INFINITY],
    ],
    acc: [0, 0.2, 0.4, 0.6, 0.8].map((value, step) => [step, value]),
    neg: [[-2, 1]],
  });
  expect(base?.found.at(-1)).toEqual({ kind: 'end', status: 'finished', reason: null, endedAt: 1_795_972_099_176 });
  expect(child?.run.config).toEqual({ 'mlflow.parentRunId': base?.run.id });
  expect(failed?.found.at(-1)).toMatchObject({ status: 'failed' });
  expect(seriesOf(running?.found ?? [])).toEqual({ x: [[1, 2]] });
  expect(running?.found.at(-1)).toMatchObject({ status: 'stopped', reason: 'it was running when it was read' });
}

test('a SQLite store', async () => {
  await expectSample(SAMPLE);
  expect(readdirSync(dirname(SAMPLE))).toEqual(['mlflow.db']); // nothing is left beside it
});

describe.skipIf(!inject('postgresUrl'))('a PostgreSQL store', () => {
  const schema = `mlflow_${randomUUID().replaceAll('-', '')}`;
  const client = new Client(inject('postgresUrl') ?? '');

  beforeAll(async () => {
    await client.connect();
    await client.query(`CREATE SCHEMA ${schema}; SET search_path = ${schema};
      CREATE TABLE experiments (experiment_id integer, name varchar);
      CREATE TABLE runs (run_uuid varchar, name varchar, status varchar, start_time bigint, end_time bigint,
        lifecycle_stage varchar, experiment_id integer);
      CREATE TABLE metrics (key varchar, value float, timestamp bigint, run_uuid varchar, step bigint, is_nan boolean);
      CREATE TABLE params (key varchar, value varchar, run_uuid varchar);
      CREATE TABLE tags (key varchar, value varchar, run_uuid varchar)`);
    await using sample = await SqliteCopy.open(SAMPLE);
    for (const table of TABLES)
      for await (const row of sample.rows(`SELECT * FROM ${table}`)) {
        const json = JSON.stringify(row, (key, value) => (key === 'is_nan' ? Boolean(value) : value));
        await client.query(`INSERT INTO ${table} SELECT * FROM json_populate_record(NULL::${table}, $1)`, [json]);
      }
  });
  afterAll(async () => {
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  });

  test.each(['postgres', 'postgresql+psycopg2'])('as %s://', async (scheme) => {
    const url = (inject('postgresUrl') ?? '').replace(/^postgres(ql)?:/, `${scheme}:`);
    await expectSample(`${url}?options=${encodeURIComponent(`-c search_path=${schema}`)}`);
  });
});

/** Writes the files of a file store. @param files by their path. */
function writeStore(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const RUN = 'run_id: 0af\nrun_name: file run\nstart_time: 1795972097497\nlifecycle_stage: active\n';

test('a file store: names with slashes, words for what is not finite, values of a step together', async () => {
  using folder = temporaryFolder();
  writeStore(folder.path, {
    '123456789012345678/meta.yaml': 'name: exp\nexperiment_id: "123456789012345678"\nlifecycle_stage: active\n',
    '123456789012345678/0af/meta.yaml': `${RUN}status: 4\nend_time: 1795972099176\n`,
    '123456789012345678/0af/metrics/train/loss': '1795972097500 1.0 0\n1795972097600 nan 1\n1795972097700 -inf 2\n',
    '123456789012345678/0af/metrics/acc': '1795972097500 1e-05 0\n1795972097600 inf 1\nno number\n',
    '123456789012345678/0af/params/model/layers': '12',
    '123456789012345678/0af/tags/mlflow.note.content': '# About',
    '123456789012345678/0af/tags/team': 'red',
    '123456789012345678/0b0/meta.yaml': `${RUN.replace('active', 'deleted')}status: 3\n`,
    '.trash/1/meta.yaml': 'name: other\n',
  });
  expect(await mlflow.matches(folder.path)).toBe(true);
  const [only, ...others] = await readStore(mlflow, folder.path);
  expect(others).toEqual([]);
  expect(only?.run).toEqual({
    ...{ id: '0af', project: 'exp', name: 'file run', startedAt: 1_795_972_097_497 },
    ...{ config: { 'model/layers': 12 }, notes: '# About', tags: ['team=red'] },
  });
  expect(seriesOf(only?.found ?? [])).toEqual({
    'train/loss': [
      [0, 1],
      [1, Number.NaN],
      [2, Number.NEGATIVE_INFINITY],
    ],
    acc: [
      [0, 1e-5],
      [1, Number.POSITIVE_INFINITY],
    ],
  });
  const steps = only?.found.flatMap((found) => (found.kind === 'row' ? [found.step] : []));
  expect(steps).toEqual([0, 0, 1, 1, 2]);
  expect(only?.found.at(-1)).toEqual({ kind: 'end', status: 'failed', reason: null, endedAt: 1_795_972_099_176 });
  expect(lossesOf(only?.found ?? [])).toEqual({ 'lines of metrics: they are not a time, a value and a step': 1 });
});

test('what is no store is none', async () => {
  using folder = temporaryFolder();
  for (const path of [folder.path, join(folder.path, 'none'), join(SAMPLES, 'trackio/proj.db'), import.meta.filename])
    expect(await mlflow.matches(path)).toBe(false);
});
