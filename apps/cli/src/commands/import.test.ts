import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getRun, listRuns, recentSteps } from '@evenkeel/db';
import { startTestGateway } from '@evenkeel/gateway/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { importCommand } from './import.ts';
import { replayCommand } from './replay.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-import-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, lines: Iterable<string>): Promise<string> {
  const path = join(folder, name);
  await pipeline(Readable.from(lines), createWriteStream(path));
  return path;
}

/** What a command prints on standard output. */
async function printed(act: () => Promise<unknown>): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    await act();
    return log.mock.calls.flat();
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
}

const dryRun = (file: string, ...flags: string[]) =>
  printed(() => importCommand().parseAsync(['--dry-run', ...flags, file], { from: 'user' }));

function* runLines(count: number): Generator<string> {
  for (let at = 0; at < count; at++) yield `{"type":"run","id":"r${at}"}\n`;
}

function* attemptLines(count: number): Generator<string> {
  for (let at = 1; at <= count; at++) yield `{"type":"run","id":"one","attempt":${at}}\n`;
}

test('a file of 200,000 run lines is imported and replayed, however many they are', async () => {
  const file = await write('many.jsonl', runLines(200_000));
  const lines = await dryRun(file);
  expect(lines).toHaveLength(200_001);
  expect(lines.at(-1)).toBe('200000 runs with 0 steps can be imported; nothing was sent.');
  expect(await printed(() => replayCommand().parseAsync([file], { from: 'user' }))).toEqual([]);
});

test('and so is one of 150,000 attempts of one run, each but the last of which went on', async () => {
  const lines = await dryRun(await write('attempts.jsonl', attemptLines(150_000)), '--json');
  expect(lines).toHaveLength(150_000);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ attempt: 1, status: 'stopped' });
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ attempt: 150_000, status: 'finished' });
});

test('a run named with escape sequences is listed on one line that moves no cursor', async () => {
  const file = await write('named.jsonl', ['{"type":"run","id":"a","name":"\\u001b[2J\\nforged\\u202e"}\n']);
  expect((await dryRun(file))[0]).toContain('imported / \\x1b[2J\\nforged\\u202e: 0 steps');
});

test('times that count from the beginning of an attempt are imported as what they were then', async () => {
  await using server = await startTestGateway();
  const began = 1_700_000_000_000;
  const lines = [
    { type: 'run', id: 'relative', startedAt: began },
    { type: 'step', step: 0, time: 0, loss: 2 },
    { type: 'step', step: 1, time: 1_500, loss: 2 },
    { type: 'finish', status: 'finished', endedAt: 2_000 },
  ];
  const file = await write(
    'relative.jsonl',
    lines.map((line) => `${JSON.stringify(line)}\n`),
  );
  await printed(() => importCommand().parseAsync([file, '--server', server.url], { from: 'user' }));
  const [run] = await listRuns(server.db, { limit: 9 });
  expect(run).toMatchObject({ startedAt: new Date(began), endedAt: new Date(began + 2_000), droppedValues: 0 });
  const steps = await recentSteps(server.db, { run: run?.id ?? '', limit: 9 });
  expect(steps.map(({ time }) => time)).toEqual([began, began + 1_500]);
});

test('the configuration of another program keeps its integers, however large', async () => {
  await using server = await startTestGateway();
  const file = await write('seeded.jsonl', ['{"type":"run","id":"seeded","config":{"seed":18446744073709551615}}\n']);
  await printed(() => importCommand().parseAsync([file, '--server', server.url], { from: 'user' }));
  const [run] = await listRuns(server.db, { limit: 9 });
  const found = await getRun(server.db, run?.id ?? '');
  expect(found?.config).toEqual({ seed: { $number: '18446744073709551615' } });
});
