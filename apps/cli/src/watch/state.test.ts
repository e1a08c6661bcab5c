import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, test, vi } from 'vitest';
import { Notices } from './notices.ts';
import { WatchState } from './state.ts';

test('a state that cannot be written is reported once and written when that is possible again', async () => {
  using temporary = temporaryFolder();
  const folder = join(temporary.path, 'state');
  const path = join(folder, 'watch.json');
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const state = await WatchState.load(path, 'http://127.0.0.1:4870', new Notices());
    writeFileSync(folder, 'no folder');
    state.changed();
    await expect.poll(() => printed.mock.calls.flat()).toEqual([expect.stringContaining('is tried again')]);
    rmSync(folder);
    mkdirSync(folder);
    await expect.poll(() => existsSync(path)).toBe(true);
    expect(printed).toHaveBeenCalledTimes(1);
  } finally {
    printed.mockRestore();
  }
});
