import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FILE_FORMATS, type FileFormat } from '@evenkeel/readers';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { Notices } from './notices.ts';
import { WatchState } from './state.ts';
import { Watch } from './watch.ts';

test('folders whose reading takes longer than until the next is due are read once at a time', async () => {
  using folder = temporaryFolder();
  const names = Array.from({ length: 100 }, (_, at) => `${at}`.padStart(3, '0'));
  for (const name of names) writeFileSync(join(folder.path, name), '');
  const looked: string[] = [];
  const format: FileFormat = {
    ...(FILE_FORMATS[0] as FileFormat),
    matches(path) {
      looked.push(basename(path));
      return false;
    },
  };
  const ending = new AbortController();
  const notices = new Notices();
  const server = 'http://127.0.0.1:9';
  const watch = new Watch({
    folders: [folder.path],
    formats: [format],
    project: undefined,
    endedAfterMs: 60_000,
    pollMs: 1,
    state: await WatchState.load(join(folder.path, 'none', 'state.json'), server, notices),
    destination: { server, key: undefined, notices, signal: ending.signal },
    print: () => {},
  });
  const following = watch.follow();
  await expect.poll(() => looked.length).toBeGreaterThan(3 * names.length);
  ending.abort();
  await following;
  expect(looked.slice(0, 3 * names.length)).toEqual([...names, ...names, ...names]);
});
