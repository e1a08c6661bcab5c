import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readConsole } from '@evenkeel/db';
import { MAX_CONSOLE_LINES, MAX_KEPT_CONSOLE_LINES, type RunConsole } from '@evenkeel/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connected, send, startOf, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});

const FIXTURES = new URL('../../protocol/fixtures/', import.meta.url);
const fixtures = readdirSync(FIXTURES).filter((file) => file.startsWith('console.'));

const line = (number: number, text: string) => ({ line: number, time: 1_700_000_000_000 + number, text });
const read = (run: string) => readConsole(server.db, { run, limit: MAX_KEPT_CONSOLE_LINES });
const textsOf = async (run: string) => (await read(run)).lines.map(({ text }) => text);

async function emitter(run: string, session: string | null = null, attempt = 1) {
  const socket = server.client('/ingest');
  await connected(socket);
  expect(await send(socket, 'run:start', { ...startOf(run, attempt), session })).toMatchObject({ ok: true });
  return socket;
}

test('every fixture is stored as it is', async () => {
  expect(fixtures.length).toBeGreaterThan(0);
  for (const file of fixtures) {
    const message: RunConsole = JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8'));
    const run = randomUUID();
    const socket = await emitter(run, null, message.attempt);
    expect(await send(socket, 'run:console', { ...message, run })).toEqual({ ok: true });
    const stored = message.lines.map((line) => ({ ...line, attempt: message.attempt, writer: 0 }));
    expect((await read(run)).lines).toEqual(stored);
  }
});

test('messages that are repeated on another connection change nothing, and a progress bar keeps its last state', async () => {
  const [run, session] = [randomUUID(), randomUUID()];
  const first = { run, attempt: 1, lines: [line(0, 'loading'), line(1, '  1%\r  5%')] };
  const second = { run, attempt: 1, lines: [line(1, '  5%\r100%'), line(2, 'done')] };
  const socket = await emitter(run, session);
  for (const message of [first, first, second])
    expect(await send(socket, 'run:console', message)).toEqual({ ok: true });
  expect(await send(await emitter(run, session), 'run:console', second)).toEqual({ ok: true });
  expect(await textsOf(run)).toEqual(['loading', '100%', 'done']);
});

test('lines of a job that is requeued under the same number are stored as the attempt that the server opened', async () => {
  const run = randomUUID();
  const former = await emitter(run);
  await send(former, 'run:finish', { run, attempt: 1, status: 'failed', endedAt: 1_700_000_001_000 });
  const socket = server.client('/ingest');
  await connected(socket);
  await send(socket, 'run:start', { ...startOf(run), startedAt: 1_700_000_100_000 });
  const steps = [{ step: 0, time: 1_700_000_100_000, loss: 2 }];
  expect(await send(socket, 'steps', { run, attempt: 1, steps })).toMatchObject({ ok: true, attempt: 2 });
  const answer = await send(socket, 'run:console', { run, attempt: 1, lines: [line(0, 'again')] });
  expect(answer).toEqual({ ok: true, attempt: 2 });
  expect((await read(run)).lines).toMatchObject([{ attempt: 2, text: 'again' }]);
});

test('it is refused by the field that is wrong', async () => {
  const run = randomUUID();
  const socket = await emitter(run);
  const refused = (over: object) => send(socket, 'run:console', { run, attempt: 1, lines: [line(0, 'a')], ...over });
  expect(await refused({ lines: [{ line: 0, text: 'a' }] })).toMatchObject({ field: 'lines[0].time', retry: false });
  expect(await refused({ attempt: 2 })).toMatchObject({ field: 'attempt', retry: false });
  expect(await refused({ run: randomUUID() })).toMatchObject({ field: 'run', retry: false });
});

test('a flood is refused to be sent again, and neither steps nor the end of the run wait for it', async () => {
  const run = randomUUID();
  const socket = await emitter(run);
  const lines = Array.from({ length: MAX_CONSOLE_LINES }, (_, at) => line(at, 'x'));
  const floods = Array.from({ length: 30 }, () => send(socket, 'run:console', { run, attempt: 1, lines }));
  expect(await send(socket, 'steps', { run, attempt: 1, steps: stepsFrom(0, 3) })).toEqual({ ok: true });
  expect(await send(socket, 'run:finish', { run, attempt: 1, status: 'finished' })).toEqual({ ok: true });
  const answers = await Promise.all(floods);
  const refusals = answers.filter((answer) => !('ok' in answer));
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals) expect(refusal).toMatchObject({ field: '', retry: true });
  expect(answers[0]).toEqual({ ok: true });
  expect((await read(run)).total).toBe(MAX_CONSOLE_LINES);
});

test('viewers of a run learn that lines came, and viewers of another do not', async () => {
  const [run, other] = [randomUUID(), randomUUID()];
  const [trainer, idle] = [await emitter(run), await emitter(other)];
  const viewer = server.client('/live');
  await connected(viewer);
  await send(viewer, 'watch', { run });
  const sent: unknown[] = [];
  const came = new Promise<void>((resolve) =>
    viewer.on('console', (about) => {
      sent.push(about);
      resolve();
    }),
  );
  await send(idle, 'run:console', { run: other, attempt: 1, lines: [line(0, 'a')] });
  await send(trainer, 'run:console', { run, attempt: 1, lines: [line(0, 'a')] });
  await came;
  expect(sent).toEqual([{ run }]);
});
