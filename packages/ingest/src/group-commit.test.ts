import type { StoredSteps } from '@evenkeel/db';
import { RefusedError, type StepBatch } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { GroupCommit } from './group-commit.ts';

function batch(run: string, count = 1, layers = 0): StepBatch {
  const layerGradVar = Array<number>(layers).fill(1);
  return { run, attempt: 1, steps: Array.from({ length: count }, (_, step) => ({ step, time: 0, layerGradVar })) };
}

const silent = () => {};
const runsOf = (batches: StepBatch[]) => batches.map(({ run }) => run).join('');

test('what comes while a commit is in flight goes in one group after it', async () => {
  const groups: string[] = [];
  let release = () => {};
  const commits = new GroupCommit(async (batches) => {
    groups.push(runsOf(batches));
    if (groups.length === 1) await new Promise<void>((resolve) => (release = resolve));
    return batches.map(() => []);
  }, silent);
  const first = commits.add(batch('a'));
  await new Promise((resolve) => setImmediate(resolve));
  const rest = ['b', 'c', 'd'].map((run) => commits.add(batch(run)));
  release();
  expect(await Promise.all([first, ...rest])).toEqual([[], [], [], []]);
  expect(groups).toEqual(['a', 'bcd']);
});

test('a batch that the database rejects is refused for good, the others of its group are stored', async () => {
  const stored: string[] = [];
  const commits = new GroupCommit(async (batches) => {
    if (batches.some(({ run }) => run === 'bad')) throw Object.assign(new Error('out of range'), { code: '22003' });
    stored.push(...batches.map(({ run }) => run));
    return batches.map(() => []);
  }, silent);
  const answers = await Promise.all(['a', 'bad', 'b'].map((run) => commits.add(batch(run))));
  expect(answers).toMatchObject([[], { field: 'steps', retry: false }, []]);
  expect(stored).toEqual(['a', 'b']);
});

test('a database that is away is asked once per group, and every batch may come again', async () => {
  let asked = 0;
  const commits = new GroupCommit(async () => {
    asked++;
    throw new Error('connection refused');
  }, silent);
  const answers = await Promise.all(['a', 'b', 'c'].map((run) => commits.add(batch(run))));
  expect(answers).toMatchObject([{ retry: true }, { retry: true }, { retry: true }]);
  expect(asked).toBe(1);
});

test('what waits is bounded by its size, and room is made again', async () => {
  let release = () => {};
  const blocked = new Promise<void>((resolve) => (release = resolve));
  const commits = new GroupCommit(async (batches) => {
    await blocked;
    return batches.map(() => []);
  }, silent);
  const wide = batch('a', 4_096, 512);
  const answers = Array.from({ length: 20 }, () => commits.add(wide));
  const refusal = await Promise.race(answers);
  expect(refusal).toBeInstanceOf(RefusedError);
  expect(refusal).toMatchObject({ retry: true });
  release();
  await Promise.all(answers);
  expect(await commits.add(wide)).toEqual([]);
});

test('one greedy run: another’s batch is in the next commit, however many large ones wait', async () => {
  const groups: StepBatch[][] = [];
  let second: Promise<StoredSteps> | null = null;
  const commits = new GroupCommit(async (batches) => {
    groups.push(batches);
    if (groups.length === 3) second = commits.add(batch('b', 4));
    return batches.map(() => []);
  }, silent);
  await Promise.all(Array.from({ length: 32 }, () => commits.add(batch('a', 4_096))));
  expect(await second).toEqual([]);
  expect(groups.findIndex((group) => group.some(({ run }) => run === 'b'))).toBe(3);
  const sizes = groups.map((group) => group.reduce((sum, { steps }) => sum + steps.length, 0));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(512);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(32 * 4_096 + 4);
});

test('runs take turns with parts of their batches, and each keeps the order of its own', async () => {
  const stored: [string, number][] = [];
  let groups = 0;
  const commits = new GroupCommit(async (slices) => {
    groups++;
    for (const { run, steps } of slices) stored.push(...steps.map(({ step }): [string, number] => [run, step]));
    if (groups === 1) expect(new Set(slices.map(({ run }) => run)).size).toBe(8);
    return slices.map(() => []);
  }, silent);
  const runs = [...'abcdefgh'];
  await Promise.all(runs.flatMap((run) => [commits.add(batch(run, 700)), commits.add(batch(run, 3))]));
  const expected = [...Array(700).keys(), 0, 1, 2];
  for (const run of runs) expect(stored.filter(([of]) => of === run).map(([, step]) => step)).toEqual(expected);
});

test('a commit of wide steps holds fewer of them', async () => {
  const sizes: number[] = [];
  const commits = new GroupCommit(async (slices) => {
    sizes.push(slices.reduce((sum, { steps }) => sum + steps.length, 0));
    return slices.map(() => []);
  }, silent);
  await commits.add(batch('a', 4_096, 512));
  expect(Math.max(...sizes)).toBeLessThan(100);
});

test('what is left out of the parts of a batch is reported with the whole of it', async () => {
  const commits = new GroupCommit(async (slices) => {
    return slices.map(({ steps, dropped = [] }) => [
      ...dropped,
      { field: 'lr', reason: 'not a number', count: steps.length },
    ]);
  }, silent);
  const before = { field: 'loss', reason: 'not a number', count: 2 };
  expect(await commits.add({ ...batch('a', 1_300), dropped: [before] })).toEqual([
    before,
    { field: 'lr', reason: 'not a number', count: 1_300 },
  ]);
});

test('a batch of which a part is refused is refused, and the rest of it is not stored', async () => {
  let stored = 0;
  const commits = new GroupCommit(async (slices) => {
    if (stored > 1_000) throw new Error('connection refused');
    for (const { steps } of slices) stored += steps.length;
    return slices.map(() => []);
  }, silent);
  const answers = await Promise.all([commits.add(batch('a', 4_096)), commits.add(batch('b', 1))]);
  expect(answers).toMatchObject([{ retry: true }, []]);
  expect(stored).toBeLessThan(2_000);
});

/** A clock that the store moves, and the sizes of its groups. */
function timedCommits(msOf: (steps: number) => number) {
  const sizes: number[] = [];
  let now = 0;
  const store = async (slices: StepBatch[]) => {
    const size = slices.reduce((sum, { steps }) => sum + steps.length, 0);
    sizes.push(size);
    now += msOf(size);
    return slices.map(() => []);
  };
  return { sizes, commits: new GroupCommit(store, silent, () => now) };
}

const manyRuns = Array.from({ length: 40 }, (_, at) => `run ${at}`);

test('many waiting runs: quick commits make room for more of each, slow ones make it small again', async () => {
  let perStep = 1 / 100;
  const { sizes, commits } = timedCommits((steps) => perStep * steps);
  const sendAll = () => Promise.all(manyRuns.map((run) => commits.add(batch(run, 640))));
  await sendAll();
  expect(sizes.slice(0, 4)).toEqual([512, 1_024, 2_048, 4_096]);
  perStep = 1;
  await sendAll();
  expect(sizes.at(-1)).toBeLessThanOrEqual(512);
});

test('few waiting runs: the first commits of a process are small, whatever waits, and grow while they are quick', async () => {
  let perStep = 1 / 100;
  const { sizes, commits } = timedCommits((steps) => perStep * steps);
  await commits.add(batch('a', 4_096));
  expect(sizes.slice(0, 5)).toEqual([64, 128, 256, 512, 512]);
  perStep = 1;
  await commits.add(batch('a', 4_096));
  expect(sizes.at(-2)).toBe(64);
});

test('the price of any commit makes groups no smaller: of a slow database more of them would only take longer', async () => {
  const { sizes, commits } = timedCommits((steps) => 300 + steps / 100);
  await commits.add(batch('a', 4_096));
  expect(sizes.slice(0, 5)).toEqual([64, 128, 256, 512, 512]);
});

test('a run that has one step waiting waits for one turn of a greedy one, not for a full commit', async () => {
  const groups: string[] = [];
  let calm: Promise<StoredSteps> | null = null;
  const commits = new GroupCommit(async (slices) => {
    groups.push(slices.map(({ run, steps }) => `${run} ${steps.length}`).join(', '));
    if (groups.length === 5) calm = commits.add(batch('b', 1));
    return slices.map(() => []);
  }, silent);
  await commits.add(batch('a', 4_096));
  expect(await calm).toEqual([]);
  expect(groups.slice(3, 7)).toEqual(['a 512', 'a 512', 'a 64, b 1', 'a 512']);
});
