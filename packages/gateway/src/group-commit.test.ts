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
    return batches.map(() => null);
  }, silent);
  const first = commits.add(batch('a'));
  await new Promise((resolve) => setImmediate(resolve));
  const rest = ['b', 'c', 'd'].map((run) => commits.add(batch(run)));
  release();
  expect(await Promise.all([first, ...rest])).toEqual([null, null, null, null]);
  expect(groups).toEqual(['a', 'bcd']);
});

test('a batch that the database rejects is refused for good, the others of its group are stored', async () => {
  const stored: string[] = [];
  const commits = new GroupCommit(async (batches) => {
    if (batches.some(({ run }) => run === 'bad')) throw Object.assign(new Error('out of range'), { code: '22003' });
    stored.push(...batches.map(({ run }) => run));
    return batches.map(() => null);
  }, silent);
  const answers = await Promise.all(['a', 'bad', 'b'].map((run) => commits.add(batch(run))));
  expect(answers).toMatchObject([null, { field: 'steps', retry: false }, null]);
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
    return batches.map(() => null);
  }, silent);
  const wide = batch('a', 4_096, 512);
  const answers = Array.from({ length: 20 }, () => commits.add(wide));
  const refusal = await Promise.race(answers);
  expect(refusal).toBeInstanceOf(RefusedError);
  expect(refusal).toMatchObject({ retry: true });
  release();
  await Promise.all(answers);
  expect(await commits.add(wide)).toBeNull();
});
