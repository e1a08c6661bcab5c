import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { getRun, listAlerts, listRuns, openDatabase, recentSteps } from '@evenkeel/db';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

const linesOf = (...lines: object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const steps = (first: number, count: number, more: (step: number) => object) =>
  Array.from({ length: count }, (_, at) => ({ type: 'step', step: first + at, ...more(first + at) }));

const MINUTES = 60_000; // every command is a process that loads the whole program

const RESUMED = randomUUID();
const LIVES = { layers: ['a', 'b'], project: 'lab', name: 'resumed', tags: ['t'], config: { lr: 1e-3 } };

/** A run as short as can be, whose loss ends as NaN, and a resumed one that says all there is to say. */
function writeRecordings(folder: string): void {
  const bare = steps(0, 400, (step) => ({
    loss: step === 150 || step === 399 ? 'NaN' : 2,
    layerGradVar: [1, step, 'Infinity', 2],
  }));
  writeFileSync(join(folder, 'bare.jsonl'), linesOf({ type: 'run', id: 'A007', config: { layers: 2 } }, ...bare));
  const lives = linesOf(
    { type: 'run', id: RESUMED, ...LIVES, startedAt: 1_700_000_000_000 },
    ...steps(0, 100, (step) => ({ time: 1_700_000_001_000 + step, loss: 3 })),
    { type: 'run', id: RESUMED, ...LIVES, attempt: 2, startedAt: 1_700_000_100_000 },
    ...steps(60, 100, (step) => ({ time: 1_700_000_200_000 + step, loss: 2, custom: { evalLoss: '-Infinity' } })),
    { type: 'finish', status: 'stopped', reason: 'by hand', endedAt: 1_700_000_300_000 },
  );
  writeFileSync(join(folder, 'lives.jsonl.gz'), gzipSync(lives));
}

/** Imports all files of a folder some times and returns what the server then holds, without `lastSeenAt`. */
async function importedInto(dataDir: string, recordings: string, times: number) {
  {
    await using server = await serve(dataDir);
    for (let time = 0; time < times; time++) {
      await using command = evenkeel(['import', join(recordings, '*.jsonl*'), '--server', server.url]);
      expect([await command.ended, command.output()]).toEqual([0, expect.stringContaining('2 runs with 600 steps')]);
    }
  } // a stopped server has evaluated every step that it received
  await using db = await openDatabase({ dataDir });
  const runs = await listRuns(db, { limit: 10 });
  return await Promise.all(
    runs.map(async ({ id }) => ({
      run: { ...(await getRun(db, id)), lastSeenAt: null },
      steps: await recentSteps(db, { run: id, limit: 10_000 }),
      alerts: (await listAlerts(db, { run: id, limit: 100 }))
        .map(({ id: _, openedAt, resolvedAt, outcome, onset, late, ...alert }) => alert) // the last three are found in time
        .sort((one, other) => other.step - one.step), // they may have been opened in one moment
    })),
  );
}

test('recordings are imported as they are, and a second time leaves what the first left', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  using recordings = temporaryFolder();
  writeRecordings(recordings.path);
  const once = await importedInto(join(folder.path, 'once'), recordings.path, 1);
  const [bare, resumed] = once;
  expect(bare).toMatchObject({
    run: { project: 'imported', name: 'A007', status: 'failed', reason: 'loss is not finite at step 399' },
    alerts: [
      { rule: 'non-finite', step: 399, status: 'open' },
      { rule: 'non-finite', step: 150, status: 'resolved' }, // for what came between was calm
    ],
  });
  expect(bare?.run).toMatchObject({ config: { layers: 2 }, layers: ['embedding', 'block 1', 'block 2', 'head'] });
  expect(bare?.steps).toHaveLength(400);
  expect(bare?.steps[399]).toMatchObject({ loss: Number.NaN, layerGradVar: [1, 399, Number.POSITIVE_INFINITY, 2] });

  expect(resumed?.run).toMatchObject({ id: RESUMED, ...LIVES, status: 'stopped', reason: 'by hand' });
  expect(resumed?.run).toMatchObject({
    startedAt: new Date(1_700_000_000_000),
    endedAt: new Date(1_700_000_300_000),
    attempts: [
      { number: 1, status: 'stopped', firstStep: 0, lastStep: 99, endedAt: new Date(1_700_000_001_099) },
      { number: 2, status: 'stopped', firstStep: 60, lastStep: 159 },
    ],
  });
  expect(resumed?.steps.map(({ step }) => step)).toEqual(Array.from({ length: 160 }, (_, step) => step));
  expect(resumed?.steps[60]).toMatchObject({ time: 1_700_000_200_060, custom: { evalLoss: Number.NEGATIVE_INFINITY } });

  expect(await importedInto(join(folder.path, 'twice'), recordings.path, 2)).toEqual(once);
});

test('nothing is imported if one file is wrong, and the error reports its line and field', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  writeRecordings(folder.path);
  const bad = join(folder.path, 'wrong.jsonl');
  writeFileSync(
    bad,
    linesOf({ type: 'run', id: 'x' }, { type: 'step', step: 0 }, { type: 'step', step: 1, loss: 'nan' }),
  );
  await using server = await serve(join(folder.path, 'data'));
  await using command = evenkeel(['import', join(folder.path, 'bare.jsonl'), bad, '--server', server.url]);
  expect(await command.ended).toBe(2);
  expect(command.output()).toMatch(/^evenkeel: .*wrong\.jsonl:3: loss: expected a number.*\n$/);
  await using list = evenkeel(['runs', '--json', '--server', server.url]);
  expect([await list.ended, list.output()]).toEqual([0, '']);
});

test('an import reports what the server refuses and what is missing', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  writeRecordings(folder.path);
  const dataDir = join(folder.path, 'data');
  const files = ['bare.jsonl', 'lives.jsonl.gz'].map((name) => join(folder.path, name));
  await using nobody = evenkeel(['import', ...files, '--server', 'http://127.0.0.1:9']);
  expect(await nobody.ended).toBe(1);
  expect(nobody.output()).toMatch(/no answer from http:\/\/127\.0\.0\.1:9.*evenkeel serve/);

  await using create = evenkeel(['key', 'create', 'lab', '--data-dir', dataDir, '--json']);
  expect(await create.ended).toBe(0);
  await using server = await serve(dataDir);
  await using keyless = evenkeel(['import', ...files, '--server', server.url]);
  expect(await keyless.ended).toBe(1);
  expect(keyless.output()).toMatch(/ingest key.*\n.*run "A007" of .*bare\.jsonl and the 2 after it/);

  const key = { EVENKEEL_KEY: JSON.parse(create.output()).secret };
  await using keyed = evenkeel(['import', ...files, '--json', '--server', server.url], key);
  expect(await keyed.ended).toBe(0);
  const imported = keyed
    .facts()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(imported).toMatchObject([
    { recordedId: 'A007', project: 'imported', status: 'failed', steps: 400 },
    { run: RESUMED, attempt: 1, project: 'lab', status: 'stopped', steps: 100 },
    { run: RESUMED, attempt: 2, project: 'lab', status: 'stopped', steps: 100 },
  ]);

  await using elsewhere = evenkeel(['import', ...files, '--project', 'other', '--server', server.url], key);
  expect(await elsewhere.ended).toBe(1);
  expect(elsewhere.output()).toMatch(/the run belongs to another project\n.*lives\.jsonl\.gz and the 1 after it/);
  await using list = evenkeel(['runs', '--json', '--server', server.url]);
  expect(await list.ended).toBe(0);
  const listed = list
    .facts()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(listed.map(({ project, status }) => `${project} ${status}`)).toEqual([
    'other failed',
    'imported failed',
    'lab stopped',
  ]);
});

test('more steps than may wait at once all arrive', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'long.jsonl');
  writeFileSync(file, linesOf({ type: 'run', id: 'long' }, ...steps(0, 12_000, (step) => ({ loss: 1 / (step + 1) }))));
  const dataDir = join(folder.path, 'data');
  {
    await using server = await serve(dataDir);
    await using command = evenkeel(['import', file, '--server', server.url, '--json']);
    expect(await command.ended).toBe(0);
    expect(JSON.parse(command.facts())).toMatchObject({ steps: 12_000, status: 'finished' });
  }
  await using db = await openDatabase({ dataDir });
  const [run] = await listRuns(db, { limit: 2 });
  const stored = await recentSteps(db, { run: run?.id ?? '', limit: 100_000 });
  expect(stored.map(({ step }) => step)).toEqual(Array.from({ length: 12_000 }, (_, step) => step));
});

test('--dry-run checks, and needs no server', async () => {
  using folder = temporaryFolder();
  writeRecordings(folder.path);
  await using command = evenkeel(['import', join(folder.path, '*'), '--dry-run', '--server', 'http://127.0.0.1:9']);
  expect(await command.ended).toBe(0);
  expect(command.facts()).toMatch(/2 runs with 600 steps can be imported; nothing was sent/);
});

test('the same key imports a recording again, from whichever attempt on, and another key does not', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'resumed.jsonl');
  const lives = [5, 6].flatMap((attempt) => [
    { type: 'run', id: 'resumed', attempt },
    { type: 'step', step: attempt, loss: 1 },
    { type: 'finish', status: 'stopped' },
  ]);
  writeFileSync(file, linesOf(...lives));
  await using server = await serve(join(folder.path, 'data'));
  const createKey = async (name: string): Promise<string> => {
    await using create = evenkeel(['key', 'create', name, '--json', '--server', server.url]);
    expect(await create.ended).toBe(0);
    return JSON.parse(create.output()).secret;
  };
  const importWith = async (key: string) => {
    await using run = evenkeel(['import', file, '--server', server.url], { EVENKEEL_KEY: key });
    return { code: await run.ended, output: run.output() };
  };
  const laptop = await createKey('laptop');
  for (let time = 0; time < 2; time++) expect(await importWith(laptop)).toMatchObject({ code: 0 });
  const { code, output } = await importWith(await createKey('other'));
  expect([code, output]).toEqual([1, expect.stringContaining('the run belongs to another ingest key')]);
});

test('what is exported as recordings is imported into another server as the same runs', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  using recordings = temporaryFolder();
  writeRecordings(recordings.path);
  const dataDir = join(folder.path, 'one');
  const imported = await importedInto(dataDir, recordings.path, 1);
  const exported = join(folder.path, 'exported');
  {
    await using server = await serve(dataDir);
    const ids = imported.map(({ run }) => run.id as string);
    const args = ['export', ...ids, '--format', 'jsonl', '--out', exported, '--server', server.url];
    await using command = evenkeel(args);
    expect([await command.ended, command.output().trim().split('\n').sort()]).toEqual([
      0,
      [join(exported, 'A007.jsonl'), join(exported, 'resumed.jsonl')],
    ]);
  }
  const facts = JSON.parse(readFileSync(join(exported, 'resumed.run.json'), 'utf8'));
  expect(facts).toMatchObject({ run: { id: RESUMED, ...LIVES, status: 'stopped' }, incomplete: [] });
  expect(await importedInto(join(folder.path, 'other'), exported, 1)).toEqual(imported);
});
