import { randomUUID } from 'node:crypto';
import { describeRun, getRun } from '@evenkeel/db';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connected, send, startTestGateway, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});

test('a trainer describes its run while it is under way, and viewers learn that it did', async () => {
  const { run, socket } = await server.emitter();
  const viewer = server.client('/live');
  const seen: unknown[] = [];
  viewer.on('run', (message) => seen.push(message));
  await connected(viewer);
  const described = { run, attempt: 1, config: { world: 8 }, tags: ['late'], name: 'named late', notes: '# Why' };
  expect(await send(socket, 'run:describe', described)).toEqual({ ok: true });
  expect(await send(socket, 'run:describe', { run, config: { seed: 7 } })).toEqual({ ok: true });
  const { run: _run, attempt: _attempt, ...stored } = described;
  expect(await getRun(server.db, run)).toMatchObject({ ...stored, config: { world: 8, seed: 7 } });
  await vi.waitFor(() => expect(seen).toEqual([{ run }, { run }]), 20_000);
});

test('a description takes nothing from a person who has edited the run', async () => {
  const { run, socket } = await server.emitter();
  await describeRun(server.db, { run, notes: 'by hand', by: 'ada' }, new Date());
  expect(await send(socket, 'run:describe', { run, notes: 'by the trainer', name: 'n' })).toEqual({ ok: true });
  expect(await getRun(server.db, run)).toMatchObject({ notes: 'by hand', name: 'n' });
});

test('a wrong description is refused by its field, and changes nothing', async () => {
  const { run, socket } = await server.emitter();
  const fieldOf = async (over: object) => {
    const ack = await send(socket, 'run:describe', { run, name: 'other', ...over });
    return 'field' in ack ? ack.field : ack;
  };
  expect(await fieldOf({ run: randomUUID() })).toBe('run');
  expect(await fieldOf({ attempt: 2 })).toBe('attempt');
  expect(await fieldOf({ config: 'lr' })).toBe('config');
  expect(await fieldOf({ tags: ['ok', ''] })).toBe('tags[1]');
  expect(await fieldOf({ name: undefined })).toBe('config');
  expect(await getRun(server.db, run)).toMatchObject({ name: 'a run' });
});
