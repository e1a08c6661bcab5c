import { renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILE_FORMATS } from '@evenkeel/readers';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { FileReader } from './file-reader.ts';
import type { FileProgress } from './state.ts';

const csv = FILE_FORMATS.find(({ name }) => name === 'csv');

/** Reads what is new in a table; steps, and how it goes on. */
async function read(path: string, known: FileProgress | null) {
  if (!csv) throw new Error('there is no such format');
  await using reader = await FileReader.open(path, csv, known, { from: known?.position ?? null, since: null });
  const steps: number[] = [];
  for (let found = await reader.next(); found; found = await reader.next())
    for (const each of found) if (each.kind === 'row') steps.push(each.step);
  return { steps, continuation: reader.continuation, progress: await reader.progress('first') };
}

test('a file goes on after its last whole line, also where it was replaced by a longer copy of itself', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'a.csv');
  writeFileSync(path, 'step,loss\n1,3\n2,2\n3');
  const first = await read(path, null);
  expect([first.steps, first.progress.position.bytes]).toEqual([[1, 2], 'step,loss\n1,3\n2,2\n'.length]);
  writeFileSync(`${path}.copy`, 'step,loss\n1,3\n2,2\n3,1\n4,0\n');
  renameSync(`${path}.copy`, path);
  expect(await read(path, first.progress)).toMatchObject({ steps: [3, 4], continuation: 'further' });
});

test('a file of other contents is read again, and one that is shorter is of the next attempt', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'a.csv');
  writeFileSync(path, 'step,loss\n1,3\n2,2\n');
  const { progress } = await read(path, null);
  writeFileSync(path, 'step,loss,lr\n1,3,\n2,2,\n');
  expect(await read(path, progress)).toMatchObject({ steps: [1, 2], continuation: 'again' });
  writeFileSync(path, 'step,loss\n5,3\n');
  expect(await read(path, progress)).toMatchObject({ steps: [5], continuation: 'next' });
});

test('a position of another version is not used: the file is read from its beginning', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'a.csv');
  writeFileSync(path, 'step,loss\n1,3\n');
  const { progress } = await read(path, null);
  const older = { ...progress, position: { ...progress.position, state: { lines: 2 } } };
  expect((await read(path, older)).steps).toEqual([1]);
});

test('a row without a time gets one from its place in the file', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'a.csv');
  writeFileSync(path, 'step,loss\n1,3\n');
  const [begin, end] = [1_796_000_000_000, 1_796_000_100_000];
  utimesSync(path, end / 1000, end / 1000);
  if (!csv) throw new Error('there is no such format');
  await using reader = await FileReader.open(path, csv, null, { from: null, since: begin });
  await reader.next();
  expect([0, 0.25, 1].map((share) => reader.timeAt(share))).toEqual([begin, begin + 25_000, end]);
});
