import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aFolder, startChild } from '../testing-process.ts';
import { DirectoryHeldError, holderOf, lockDirectory } from './lock.ts';

test('a second process is refused, with an error that names who holds the directory and where it serves', async () => {
  const dataDir = aFolder();
  const holder = startChild('lock', dataDir);
  expect(await holder.nextReport()).toEqual({ locked: holder.pid });
  const held = { pid: holder.pid, url: `http://127.0.0.1/${holder.pid}` };
  await expect(lockDirectory(dataDir)).rejects.toThrow(DirectoryHeldError);
  await expect(lockDirectory(dataDir)).rejects.toMatchObject(held);
  expect(await startChild('lock', dataDir).nextReport()).toEqual({ refused: held });
  expect(await holderOf(dataDir)).toEqual(held);
});

test('kill -9 frees the directory at once', async () => {
  const dataDir = aFolder();
  const holder = startChild('lock', dataDir);
  await holder.nextReport();
  await holder.kill();
  expect(await holderOf(dataDir)).toBeNull();
  const lock = await lockDirectory(dataDir);
  expect(await holderOf(dataDir)).toEqual({ pid: process.pid, url: null });
  await lock.release();
});

test('of many processes that race for a directory just freed by kill -9, exactly one wins', async () => {
  const dataDir = aFolder();
  const first = startChild('lock', dataDir);
  await first.nextReport();
  await first.kill();
  const racers = Array.from({ length: 6 }, () => startChild('lock', dataDir));
  const reports = await Promise.all(racers.map((racer) => racer.nextReport()));
  const winners = reports.filter(({ locked }) => locked).map(({ locked }) => locked);
  expect(winners).toHaveLength(1);
  expect(reports.filter(({ refused }) => refused)).toHaveLength(5);
  expect(await holderOf(dataDir)).toMatchObject({ pid: winners[0] });
});

test('of many starters at the same moment exactly one wins, again and again', async () => {
  const dataDir = aFolder();
  for (let round = 0; round < 15; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => lockDirectory(dataDir)));
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(won).toHaveLength(1);
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost.every(({ reason }) => reason instanceof DirectoryHeldError)).toBe(true);
    await won[0]?.value.release();
  }
  expect(readdirSync(join(dataDir, 'lock'))).toEqual([]);
});

test('a directory whose path is too long for a socket is locked all the same', async () => {
  const dataDir = join(aFolder(), 'long'.repeat(30), 'long'.repeat(30));
  mkdirSync(dataDir, { recursive: true });
  const holder = startChild('lock', dataDir);
  await holder.nextReport();
  await expect(lockDirectory(dataDir)).rejects.toMatchObject({ pid: holder.pid });
  await holder.kill();
  await (await lockDirectory(dataDir)).release();
});

test('nobody holds a directory that is not there', async () => {
  expect(await holderOf(join(aFolder(), 'none'))).toBeNull();
});
