import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { freePort, temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

const MINUTES = 60_000;
const SAMPLES = join(import.meta.dirname, '../../../packages/readers/samples');
const EVENTS = 'tensorboard/tf2/events.out.tfevents.1795970551.vm.3454.0.v2';
/** An hour: nothing of a test ends a run. */
const LONG = ['--ended-after', '60'];
/** 1.2 seconds. */
const SOON = ['--ended-after', '0.02'];

interface RunAnswer {
  id: string;
  project: string;
  name: string;
  status: string;
  reason: string | null;
  lastStep: number | null;
  attempts: { number: number; status: string | null; firstStep: number | null; lastStep: number | null }[];
}

/** What a server answers about its runs. */
function reading(url: string) {
  const get = async (path: string) => {
    const answer = await fetch(`${url}/api/v1${path}`);
    expect(answer.status).toBe(200);
    return answer;
  };
  const runs = async (): Promise<RunAnswer[]> => {
    const { runs } = await (await get('/runs?sort=name&limit=200')).json();
    return await Promise.all(runs.map(async ({ id }: RunAnswer) => (await get(`/runs/${id}`)).json()));
  };
  return {
    runs,
    /** `project / name` → the run. */
    named: async () => new Map((await runs()).map((run) => [`${run.project} / ${run.name}`, run])),
    commands: async (run: string) => (await (await get(`/runs/${run}/commands`)).json()).commands,
    steps: async (run: string, query = '') =>
      (await (await get(`/runs/${run}/history${query}`)).text())
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

function write(path: string, text: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Watches in a process whose state is in a file of the test's. */
function watch(server: string, state: string, ...args: string[]) {
  return evenkeel(['watch', ...args, '--server', server, '--state', state]);
}

const iteration = (step: number, loss: number) => `iter ${step}: loss ${loss.toFixed(4)}, time 9.00ms, mfu 1.00%\n`;

test('files of several formats below several folders are followed as they grow', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  const one = join(folder.path, 'one');
  const two = join(folder.path, 'two');
  write(join(one, 'a/metrics.csv'), 'epoch,step,train_loss,val_loss\n0,4,2.5,\n');
  write(join(two, 'gpt.log'), `using cuda\n${iteration(0, 11)}iter 1: lo`);
  cpSync(join(SAMPLES, 'tensorboard/tf2'), join(two, 'tf2'), { recursive: true });
  write(join(two, 'notes.txt'), 'no log\n');
  symlinkSync('gpt.log', join(two, 'latest.log'));
  symlinkSync('../one/a', join(two, 'latest'));
  await using server = await serve(join(folder.path, 'data'));
  const { named, steps, commands } = reading(server.url);
  await using _following = watch(server.url, join(folder.path, 'state.json'), one, two, ...LONG);
  await expect.poll(async () => [...(await named()).keys()].toSorted()).toEqual(['one / a', 'two / gpt', 'two / tf2']);

  symlinkSync('gpt.log', join(two, 'newest.log'));
  const events = readFileSync(join(SAMPLES, EVENTS));
  const copy = join(two, 'live', basename(EVENTS));
  write(copy, events.subarray(0, 300));
  await expect.poll(async () => (await named()).has('two / live')).toBe(true);
  appendFileSync(copy, events.subarray(300));
  appendFileSync(join(one, 'a/metrics.csv'), '0,9,,2.25\n1,9,nan,\n');
  appendFileSync(join(two, 'gpt.log'), 'ss 9.0000, time 9.00ms, mfu 2.00%\n');
  write(join(one, 'b/deep/train.jsonl'), '{"step": 7, "loss": 3, "opt": {"lr": 0.5}}\n');
  await expect.poll(async () => (await named()).get('one / deep')?.lastStep).toBe(7);
  await expect.poll(async () => (await named()).get('two / gpt')?.lastStep).toBe(1);
  await expect.poll(async () => (await named()).get('one / a')?.lastStep).toBe(9);
  const runs = await named();
  const stepsOf = async (name: string) =>
    (await steps(runs.get(name)?.id ?? '')).map(({ time, attempt, ...step }: Record<string, unknown>) => step);
  await expect
    .poll(() => stepsOf('one / a'))
    .toEqual([
      { step: 4, loss: 2.5, epoch: 0 },
      { step: 9, loss: 'NaN', epoch: 1, evalLoss: 2.25 },
    ]);
  expect(await stepsOf('two / gpt')).toEqual(
    [
      { step: 0, loss: 11, time: undefined, mfu: 1 },
      { step: 1, loss: 9, mfu: 2 },
    ].map(({ time: _, ...step }) => expect.objectContaining(step)),
  );
  expect(await stepsOf('one / deep')).toEqual([{ step: 7, loss: 3, 'opt.lr': 0.5 }]);
  expect(runs.size).toBe(5);
  await expect.poll(() => stepsOf('two / live')).toEqual(await stepsOf('two / tf2'));
  expect(new Set([...runs.values()].map(({ status }) => status))).toEqual(new Set(['running']));
  await using stop = evenkeel(['stop', runs.get('one / a')?.id ?? '', '--server', server.url]);
  await stop.ended;
  await expect
    .poll(() => commands(runs.get('one / a')?.id ?? ''))
    .toMatchObject([{ kind: 'stop', status: 'failed', error: expect.stringContaining('cannot reach the job') }]);
});

test('a follower that is killed goes on where it was: nothing is lost and nothing doubled', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const state = join(folder.path, 'state.json');
  const file = join(runs, 'gpt.jsonl');
  mkdirSync(runs);
  const program = `
    const { appendFileSync } = require('node:fs');
    let step = 0;
    const write = () => appendFileSync(${JSON.stringify(file)}, JSON.stringify({ step, loss: 1 / ++step }) + '\\n');
    setInterval(() => { for (let of = 0; of < 5; of++) write(); }, 10);`;
  const writer = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
  const written = once(writer, 'close');
  await using server = await serve(join(folder.path, 'data'));
  const { runs: allRuns, steps } = reading(server.url);
  const lastStep = async () => (await allRuns())[0]?.lastStep ?? -1;
  for (let life = 0; life < 3; life++) {
    const former = await lastStep();
    const following = watch(server.url, state, runs, ...LONG);
    await expect.poll(lastStep).toBeGreaterThan(former);
    following.child.kill('SIGKILL');
    await following.ended;
  }
  writer.kill();
  await written;
  const last = readFileSync(file, 'utf8').trimEnd().split('\n').length - 1;
  await using _following = watch(server.url, state, runs, ...LONG);
  await expect.poll(lastStep).toBe(last);
  const [run, ...others] = await allRuns();
  expect([run?.attempts.length, others]).toEqual([1, []]);
  const stored = await steps(run?.id ?? '');
  expect(stored.map(({ step, loss }) => [step, loss])).toEqual(
    Array.from({ length: last + 1 }, (_, step) => [step, 1 / (step + 1)]),
  );
});

test('a file that shrinks, and a job that goes back in the same file, begin the next attempt', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const file = join(runs, 'gpt.log');
  write(file, [0, 1, 2, 3].map((step) => iteration(step, 9)).join(''));
  await using server = await serve(join(folder.path, 'data'));
  const { runs: allRuns } = reading(server.url);
  await using _following = watch(server.url, join(folder.path, 'state.json'), runs, ...LONG);
  const attempts = async () =>
    (await allRuns())[0]?.attempts.map(({ number, firstStep, lastStep }) => [number, firstStep, lastStep]);
  await expect.poll(attempts).toEqual([[1, 0, 3]]);
  writeFileSync(file, iteration(2, 8));
  await expect.poll(attempts).toEqual([
    [1, 0, 3],
    [2, 2, 2],
  ]);
  appendFileSync(file, iteration(3, 8) + iteration(4, 8) + iteration(1, 7) + iteration(2, 7));
  await expect.poll(attempts).toEqual([
    [1, 0, 3],
    [2, 2, 4],
    [3, 1, 2],
  ]);
  expect((await allRuns())[0]?.status).toBe('running');
});

test('purged event files, and a further one that goes back, are attempts of their run', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  cpSync(join(SAMPLES, 'tensorboard/purge'), join(runs, 'purge'), { recursive: true });
  const row = (step: number, time: number) => `${JSON.stringify({ step, time, loss: 1 })}\n`;
  write(join(runs, 'twice/log.jsonl'), [1, 2, 3].map((step) => row(step, 1_796_000_000 + step)).join(''));
  write(join(runs, 'twice/metrics.jsonl'), [2, 3].map((step) => row(step, 1_796_000_100 + step)).join(''));
  await using server = await serve(join(folder.path, 'data'));
  const { named } = reading(server.url);
  await using command = watch(server.url, join(folder.path, 'state.json'), runs, '--once', ...LONG);
  expect(await command.ended).toBe(0);
  const attemptsOf = (run: RunAnswer | undefined) =>
    run?.attempts.map(({ firstStep, lastStep }) => [firstStep, lastStep]);
  const found = await named();
  expect(attemptsOf(found.get('runs / purge'))).toEqual([
    [0, 9],
    [5, 7],
  ]);
  expect(attemptsOf(found.get('runs / twice'))).toEqual([
    [1, 3],
    [2, 3],
  ]);
});

test('a table that is written again with another column stays the same attempt', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const file = join(runs, 'version_0/metrics.csv');
  write(file, 'step,train_loss\n0,5\n1,4\n');
  await using server = await serve(join(folder.path, 'data'));
  const { runs: allRuns, steps } = reading(server.url);
  await using _following = watch(server.url, join(folder.path, 'state.json'), runs, ...LONG);
  await expect.poll(async () => (await allRuns())[0]?.lastStep).toBe(1);
  writeFileSync(file, 'step,train_loss,val_loss\n0,5,\n1,4,\n1,,4.5\n2,3,\n');
  await expect.poll(async () => (await allRuns())[0]?.lastStep).toBe(2);
  const [run] = await allRuns();
  expect(run?.attempts).toHaveLength(1);
  expect((await steps(run?.id ?? '')).map(({ step, loss, evalLoss }) => [step, loss, evalLoss])).toEqual([
    [0, 5, undefined],
    [1, 4, 4.5],
    [2, 3, undefined],
  ]);
});

test('silence ends a run, its last line counts, and what comes later is its next attempt', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const file = join(runs, 'gpt.jsonl');
  write(file, '{"step":0,"loss":3}\n{"step":1,"loss":2}');
  await using server = await serve(join(folder.path, 'data'));
  const { runs: allRuns } = reading(server.url);
  await using _following = watch(server.url, join(folder.path, 'state.json'), runs, ...SOON);
  await expect
    .poll(async () => (await allRuns())[0])
    .toMatchObject({
      status: 'finished',
      reason: 'its files have not changed for 0.02 minutes',
      lastStep: 1,
    });
  appendFileSync(file, '\n{"step":2,"loss":1}\n');
  await expect
    .poll(async () => (await allRuns())[0]?.attempts)
    .toMatchObject([
      { number: 1, firstStep: 0, lastStep: 1, status: 'finished' },
      { number: 2, lastStep: 2, status: 'finished' },
    ]);
});

test('checkpoints of the Hugging Face Trainer: each brings the steps since the one before', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'out');
  const history = (steps: number) =>
    JSON.stringify({ log_history: Array.from({ length: steps }, (_, at) => ({ step: at + 1, loss: 9 - at })) });
  write(join(runs, 'gpt2/checkpoint-2/trainer_state.json'), history(2));
  await using server = await serve(join(folder.path, 'data'));
  const { runs: allRuns, steps } = reading(server.url);
  await using _following = watch(server.url, join(folder.path, 'state.json'), runs, ...LONG);
  await expect.poll(async () => (await allRuns())[0]?.lastStep).toBe(2);
  write(join(runs, 'gpt2/checkpoint-4/trainer_state.json'), history(4));
  await expect.poll(async () => (await allRuns())[0]?.lastStep).toBe(4);
  const [run] = await allRuns();
  expect(run).toMatchObject({ name: 'gpt2', attempts: [{ number: 1, firstStep: 1, lastStep: 4 }] });
  expect((await steps(run?.id ?? '')).map(({ loss }) => loss)).toEqual([9, 8, 7, 6]);
});

test('--once sends what is there, for cron: Ctrl-C and it leave runs running, and a second time sends what is new', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const state = join(folder.path, 'state.json');
  const file = join(runs, 'gpt.log');
  cpSync(join(SAMPLES, 'wandb'), join(runs, 'wandb'), { recursive: true });
  write(file, iteration(0, 9));
  await using nobody = watch('http://127.0.0.1:9', join(folder.path, 'other.json'), runs, '--once');
  expect(await nobody.ended).toBe(1);
  expect(nobody.output()).toMatch(/no answer from http:\/\/127\.0\.0\.1:9/);
  await using server = await serve(join(folder.path, 'data'));
  const { named } = reading(server.url);
  const sendOnce = async () => {
    await using command = watch(server.url, state, runs, '--once', ...LONG);
    expect([command.output(), await command.ended]).toEqual(['', 0]);
    return command.facts();
  };
  expect(await sendOnce()).toMatch(/following runs \/ gpt \(text-log, attempt 1\)/);
  const first = await named();
  expect(first.get('runs / gpt')).toMatchObject({ status: 'running', lastStep: 0 });
  expect([...first.values()].filter(({ status }) => status === 'finished')).not.toEqual([]); // as W&B's file says
  expect(await sendOnce()).toBe('');
  appendFileSync(file, iteration(1, 8));
  expect(await sendOnce()).toMatch(/^following runs \/ gpt .*\n$/);
  const following = watch(server.url, state, runs, ...LONG);
  appendFileSync(file, iteration(2, 8));
  await expect.poll(async () => (await named()).get('runs / gpt')?.lastStep).toBe(2);
  following.child.kill('SIGINT');
  expect(await following.ended).toBe(0);
  expect((await named()).get('runs / gpt')).toMatchObject({ status: 'running', attempts: [{ number: 1 }] });
  expect((await named()).size).toBe(first.size);
});

test('while the server is away a follower says so once, and sends what came meanwhile', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const port = String(await freePort());
  const dataDir = join(folder.path, 'data');
  for (const name of ['a', 'b']) write(join(runs, `${name}.log`), iteration(0, 9));
  await using following = watch(`http://127.0.0.1:${port}`, join(folder.path, 'state.json'), runs, ...LONG);
  await following.printed(/cannot be reached/);
  for (const name of ['a', 'b']) appendFileSync(join(runs, `${name}.log`), iteration(1, 8));
  await using server = await serve(dataDir, port);
  const { runs: allRuns } = reading(server.url);
  await expect.poll(async () => (await allRuns()).map(({ lastStep }) => lastStep)).toEqual([1, 1]);
  await following.printed(/the server answers again/);
  expect(following.output().match(/cannot be reached/g)).toHaveLength(1);
});

test('a run that the server refuses is reported, and is sent once it is accepted', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  const state = join(folder.path, 'state.json');
  write(join(runs, 'a.log'), iteration(0, 9));
  await using server = await serve(join(folder.path, 'data'));
  const createKey = async (name: string): Promise<string> => {
    await using create = evenkeel(['key', 'create', name, '--json', '--server', server.url]);
    expect(await create.ended).toBe(0);
    return JSON.parse(create.output()).secret;
  };
  const keys = [await createKey('one'), await createKey('two')];
  const sendOnce = async (key: string | undefined, ...args: string[]) => {
    const env = { EVENKEEL_KEY: key ?? '' };
    await using command = evenkeel(['watch', runs, '--once', ...LONG, '--server', server.url, ...args], env);
    return [await command.ended, command.output()];
  };
  expect(await sendOnce(keys[0], '--state', state)).toEqual([0, expect.stringContaining('following runs / a')]);
  appendFileSync(join(runs, 'a.log'), iteration(1, 9));
  expect(await sendOnce(keys[1], '--state', state)).toEqual([
    1,
    expect.stringMatching(/a: the server refuses this run.*another ingest key/),
  ]);
  expect(await sendOnce(keys[0], '--state', state)).toEqual([0, expect.stringContaining('following runs / a')]);
  expect((await reading(server.url).runs())[0]?.lastStep).toBe(1);
});

test('--dry-run shows runs, files and names, and sends nothing', async () => {
  using folder = temporaryFolder();
  const runs = join(folder.path, 'runs');
  write(join(runs, 'a/metrics.csv'), 'step,train_loss,val_loss,note\n0,2.5,,x\n9,,2.25,\n');
  write(join(runs, 'b.out'), '[7] ce=2.5\n[8] ce=2\nother\n');
  await using plain = evenkeel(['watch', runs, '--dry-run', '--server', 'http://127.0.0.1:9']);
  expect([await plain.ended, plain.output()]).toEqual([
    0,
    [
      'a (csv; project runs, unless its files name another)',
      `  ${join(runs, 'a/metrics.csv')}`,
      '  2 rows, steps 0 to 9',
      '    train_loss  1×  → loss',
      '    val_loss    1×  → evalLoss',
      '  not read: 1 cell: not a number',
      '1 run would be followed; nothing was sent.',
      '',
    ].join('\n'),
  ]);
  const pattern = '^\\[(?<step>\\d+)\\] ce=(?<ce>\\S+)';
  await using custom = evenkeel(['watch', runs, '--dry-run', '--pattern', pattern, '--project', 'lab']);
  expect([await custom.ended, custom.output()]).toEqual([
    0,
    expect.stringMatching(/^b \(text-log; project lab\)\n.*b\.out\n {2}2 rows, steps 7 to 8\n {4}ce {2}2× {2}→ custom/),
  ]);
});

test('what is no folder, no pattern or no state is refused by its name', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  const state = join(folder.path, 'state.json');
  const refusal = async (...args: string[]) => {
    await using command = evenkeel(['watch', ...args]);
    return [await command.ended, command.output()];
  };
  const missing = join(folder.path, 'none');
  expect(await refusal(missing)).toEqual([1, `evenkeel: there is no folder ${missing}\n`]);
  expect(await refusal(folder.path, '--pattern', '(?<step>')).toEqual([
    1,
    expect.stringContaining("option '--pattern"),
  ]);
  writeFileSync(state, '{"version":1}');
  expect(await refusal(folder.path, '--state', state)).toEqual([1, expect.stringContaining(`${state} is no state`)]);
  expect(readFileSync(state, 'utf8')).toBe('{"version":1}');
});
