import { RefusedError } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { Intake } from './intake.ts';

const LIMITS = {
  connectionRefusals: 3,
  connectionBatches: 3,
  connectionBytes: 1_000,
  decodedBytes: 100,
  allBytes: 2_000,
};

function newIntake() {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const started: string[] = [];
  const intake = new Intake({ now: () => 0, limits: LIMITS });
  const add = (connection: string, bytes: number) =>
    intake.add(connection, new Uint8Array(bytes), () => {
      started.push(connection);
      return held;
    });
  return { intake, add, started, release };
}

test('connections are decoded in turn, and one that has enough decoded waits until it is stored', async () => {
  const { intake, add, started, release } = newIntake();
  const stored = ['first', 'a', 'a', 'a', 'b', 'b', 'c'].map((connection) => add(connection, 60));
  await expect.poll(() => started.length).toBe(6);
  expect(started).toEqual(['first', 'a', 'b', 'c', 'a', 'b']);
  expect(intake.backlog).toEqual({ batches: 7, bytes: 420, oldest: 0 });
  release();
  await Promise.all(stored);
  expect(started).toEqual(['first', 'a', 'b', 'c', 'a', 'b', 'a']);
  expect(intake.backlog).toEqual({ batches: 0, bytes: 0, oldest: null });
});

test('a refused batch is not decoded, and takes nothing from what others may have', async () => {
  const { add, started, release } = newIntake();
  const stored = [add('a', 900)];
  await expect(add('a', 200)).rejects.toBeInstanceOf(RefusedError);
  stored.push(add('a', 1), add('a', 1));
  await expect(add('a', 1)).rejects.toMatchObject({ retry: true, message: expect.stringContaining('3 batches') });
  stored.push(add('b', 900), add('c', 900), add('d', 900)); // past the bound of all: the first of each is taken
  await expect(add('d', 1)).rejects.toMatchObject({ message: 'the server has too many batches waiting: try again' });
  await expect(add('e', 900)).rejects.toMatchObject({ message: 'the server has too many batches waiting: try again' });
  release();
  await Promise.all(stored);
  expect(started.sort()).toEqual(['a', 'a', 'a', 'b', 'c', 'd']);
});

test('a connection that is cut off has what it had waiting refused, and others do not wait for it', async () => {
  const { intake, add, started, release } = newIntake();
  const decoded = add('a', 900);
  const waiting = [add('a', 50), add('a', 50)];
  const refused = [1, 2, 3].map(() => add('a', 50));
  for (const batch of refused) await expect(batch).rejects.toMatchObject({ message: /wait for their acks/ });
  for (const batch of waiting) await expect(batch).rejects.toMatchObject({ retry: true, message: /has sent too much/ });
  const later = add('a', 50); // of what was read already; it waits for the decoded one as any other would
  const other = add('b', 900);
  await expect.poll(() => started).toEqual(['a', 'b']);
  release();
  await Promise.all([decoded, later, other]);
  expect(started).toEqual(['a', 'b', 'a']);
  expect(intake.backlog).toEqual({ batches: 0, bytes: 0, oldest: null });
});
