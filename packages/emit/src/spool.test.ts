import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSteps, RefusedError, type RunStart } from '@evenkeel/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StartRunOptions, SyncedFile } from './public.ts';
import { listSpool, SpoolFile } from './spool-file.ts';
import { SpoolReader } from './spool-record.ts';
import { syncSpool } from './sync-spool.ts';
import { IngestServer, openTestRun, range, settled } from './testing.ts';

const OK = { ok: true } as const;
const SOON = { timeout: 60_000 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = () => readdirSync(folder);
const spooling = (more: Partial<StartRunOptions> = {}) => ({ spool: folder, ...more });

/** The steps in the only file of the folder. */
function spooledSteps(): number[] {
  const fd = openSync(join(folder, files()[0] ?? ''), 'r');
  try {
    const reader = new SpoolReader(fd);
    const steps: number[] = [];
    for (let record = reader.next(); record; record = reader.next()) {
      if (record.type === 'steps') steps.push(...decodeSteps(record.payload).steps.map(({ step }) => step));
    }
    return steps;
  } finally {
    closeSync(fd);
  }
}

async function sync(server: string, more: object = {}): Promise<SyncedFile[]> {
  const synced: SyncedFile[] = [];
  for await (const file of syncSpool({ server, folder, ...more })) synced.push(file);
  return synced;
}

test('while the server answers nothing is written', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, spooling());
  for (const step of range(0, 500)) recorded.run.log({ step });
  await settled(recorded.run);
  expect(await recorded.run.finish()).toMatchObject({ delivered: true, spool: null });
  expect(files()).toEqual([]);
});

test('while the server is away the steps are in a file, which goes once they are acknowledged', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling());
  const { run } = recorded;
  for (const step of range(0, 300)) run.log({ step, loss: 1 });
  await vi.waitFor(() => expect(files()).toHaveLength(1), SOON);
  for (const step of range(300, 400)) run.log({ step, loss: 1 });
  await vi.waitFor(() => expect(spooledSteps()).toEqual(range(0, 400)), SOON);
  await server.start();
  await settled(run);
  await vi.waitFor(() => expect(files()).toEqual([]), SOON);
  expect(server.acceptedSteps).toEqual(range(0, 400));
});

test('what is in the file after many acknowledgements is at least all that is not acknowledged', async () => {
  await using server = await IngestServer.listen();
  let isSilent = false;
  server.answer = ({ event }) => (isSilent && event === 'steps' ? null : OK);
  await using recorded = openTestRun(server, spooling(), 100_000, { answer: 60_000 });
  const { run } = recorded;
  for (const round of range(0, 3)) {
    isSilent = true;
    for (const step of range(1_000 * round, 1_000 * (round + 1))) run.log({ step });
    await vi.waitFor(() => expect(spooledSteps().at(-1)).toBe(1_000 * (round + 1) - 1), SOON);
    isSilent = false;
    if (round < 2) server.sockets[0]?.conn.close(); // it comes back, and what is pending is sent again
    if (round < 2) await settled(run);
  }
  const unacknowledged = range(0, 3_000).slice(-run.pending);
  expect(spooledSteps()).toEqual(expect.arrayContaining(unacknowledged));
});

test('what finish could not deliver is sent by syncSpool, with the end of the run, and the file is deleted', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling({ layers: ['wte'], config: { lr: 1 } }));
  const { run, warnings } = recorded;
  for (const step of range(0, 5_000)) run.log({ step, loss: 1, layerGradVar: [step] });
  const before = Date.now();
  const { delivered, pending, spool } = await run.finish('failed', 'out of memory', { timeoutMs: 20 });
  expect({ delivered, pending }).toEqual({ delivered: false, pending: 5_000 });
  expect(spool).toBe(join(folder, files()[0] ?? ''));
  expect(warnings.at(-1)).toContain(`(they are in ${spool}, for the next run here or "evenkeel sync")`);

  await server.start();
  const progress: number[] = [];
  const synced = await sync(server.url, { onProgress: (steps: number) => progress.push(steps) });
  expect(synced).toMatchObject([{ run: run.id, attempt: 1, status: 'sent', steps: 5_000, lost: 0, refused: 0 }]);
  expect(progress.reduce((sum, steps) => sum + steps, 0)).toBe(5_000);
  expect(files()).toEqual([]);
  expect(server.acceptedSteps).toEqual(range(0, 5_000));
  expect(server.accepted[7]).toMatchObject({ step: 7, loss: 1, layerGradVar: [7] });
  const [start, end] = [server.received[0], server.received.at(-1)];
  expect(start).toMatchObject({ event: 'run:start', payload: { run: run.id, layers: ['wte'], config: { lr: 1 } } });
  expect(end).toMatchObject({ event: 'run:finish', payload: { status: 'failed', reason: 'out of memory' } });
  const { endedAt } = Object(end).payload;
  expect(endedAt).toBeGreaterThanOrEqual(before);
  expect(endedAt).toBeLessThanOrEqual(Date.now());
});

/** A file that an earlier process has left. */
async function leave(server: { url: string }, steps: readonly number[], more: Partial<StartRunOptions> = {}) {
  const recorded = openTestRun(server, spooling(more));
  for (const step of steps) recorded.run.log({ step });
  const { spool } = await recorded.run.finish('stopped', undefined, { timeoutMs: 5 });
  return { id: recorded.run.id, path: spool ?? '' };
}

test('the next run of the same folder sends what was left, its own former attempt before its start', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const other = await leave(server, range(0, 10));
  const first = await leave(server, range(10, 30));
  await server.start();
  await using recorded = openTestRun(server, spooling({ id: first.id, attempt: 2 }));
  recorded.run.log({ step: 30 });
  await settled(recorded.run);
  await vi.waitFor(() => expect(files()).toEqual([]), SOON);
  const starts = server.received.filter(({ event }) => event === 'run:start').map(({ payload }) => payload as RunStart);
  expect(starts.filter(({ run }) => run === first.id)).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
  expect(starts.filter(({ run }) => run === other.id)).toMatchObject([{ attempt: 1 }]);
  expect([...server.acceptedSteps].sort((a, b) => a - b)).toEqual(range(0, 31));
});

test('what was left for another server is not sent by a run, only by syncSpool', async () => {
  await using away = await IngestServer.listen();
  await away.stop();
  await leave(away, [1, 2]);
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, spooling());
  recorded.run.log({ step: 7 });
  expect(await recorded.run.finish()).toMatchObject({ delivered: true });
  expect(files()).toHaveLength(1);
  expect(server.acceptedSteps).toEqual([7]);
  expect(await sync(server.url)).toMatchObject([{ status: 'sent', steps: 2 }]);
});

test('a file that a living process holds is left alone', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling());
  recorded.run.log({ step: 1 });
  await vi.waitFor(() => expect(files()).toHaveLength(1), SOON);
  const [held] = files();
  await using elsewhere = await IngestServer.listen();
  expect(await sync(elsewhere.url)).toMatchObject([{ status: 'held', steps: 0 }]);
  await using next = openTestRun(elsewhere, spooling());
  expect(await next.run.finish()).toMatchObject({ delivered: true });
  expect(files()).toEqual([held]);
});

describe('a file is held by', () => {
  const run = '01990000-0000-7000-8000-000000000000';
  const host = hostname().replaceAll(/[^\w.-]/g, '_');
  test.each([
    ['nobody', `0-0-ab@${host}`, false],
    ['a process that is no more', `4194304-1-ab@${host}`, false],
    ['this process', `${process.pid}-0-ab@${host}`, true],
    ['another process that got its number', `${process.pid}-1-ab@${host}`, process.platform !== 'linux'],
    ['a process of another host that touched it just now', '1-1-ab@elsewhere', true],
  ])('%s', (_, holder, isHeld) => {
    writeFileSync(join(folder, `${run}-1-${holder}.spool`), '');
    writeFileSync(join(folder, 'unrelated.txt'), '');
    expect(listSpool(folder)).toMatchObject([{ name: { run, attempt: 1 }, isHeld }]);
  });

  test('nobody where a process of another host has not touched it for long', () => {
    const path = join(folder, `${run}-1-1-1-ab@elsewhere.spool`);
    writeFileSync(path, '');
    utimesSync(path, 1_000, 1_000);
    expect(listSpool(folder)).toMatchObject([{ isHeld: false }]);
  });

  test('nobody who could make this process open a link or a pipe: only plain files of this user count', () => {
    symlinkSync(join(folder, 'elsewhere'), join(folder, `${run}-1-0-0-ab@${host}.spool`));
    mkdirSync(join(folder, `${run}-2-0-0-ab@${host}.spool`));
    expect(listSpool(folder)).toEqual([]);
  });

  test('nobody again where it was claimed and cannot be opened', () => {
    const name = `${run}-1-0-0-ab@${host}.spool`;
    writeFileSync(join(folder, name), '');
    const [stored] = listSpool(folder);
    if (!stored) throw new Error('it is not listed');
    rmSync(join(folder, name));
    mkdirSync(join(folder, name)); // which no process can open to write
    expect(() => SpoolFile.claim(folder, stored)).toThrow();
    expect(readdirSync(folder)).toEqual([name]);
  });

  test('only one of two that claim it', () => {
    writeFileSync(join(folder, `${run}-1-0-0-ab@${host}.spool`), '');
    const [stored] = listSpool(folder);
    if (!stored) throw new Error('it is not listed');
    const claimed = SpoolFile.claim(folder, stored);
    expect(claimed).not.toBeNull();
    expect(SpoolFile.claim(folder, stored)).toBeNull();
    claimed?.discard();
  });
});

test('where a server refuses the key, or the run, the file stays and its words are returned', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await leave(server, [1, 2, 3]);
  await server.start();
  server.admit = ({ key }) => (key === 'right' ? null : new RefusedError('key', 'this ingest key is revoked'));
  expect(await sync(server.url, { key: 'wrong' })).toMatchObject([
    { status: 'kept', reason: expect.stringContaining('key: this ingest key is revoked') },
  ]);
  server.answer = () => new RefusedError('run', 'it belongs to another ingest key').toRefusal();
  expect(await sync(server.url, { key: 'right' })).toMatchObject([
    { status: 'kept', reason: 'the server refuses this run: run: it belongs to another ingest key' },
  ]);
  server.answer = () => OK;
  expect(await sync(server.url, { key: 'right' })).toMatchObject([{ status: 'sent', steps: 3 }]);
  expect(files()).toEqual([]);
});

test('where the server cannot be reached, the file stays', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await leave(server, [1]);
  expect(await sync(server.url)).toMatchObject([
    { status: 'kept', reason: expect.stringMatching(/cannot be reached \(connect ECONNREFUSED/) },
  ]);
  expect(files()).toHaveLength(1);
});

test('of a damaged file the rest is sent, and how many steps are lost is returned', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { path } = await leave(server, range(0, 10_000));
  const bytes = readFileSync(path);
  bytes.fill(0, 100_000, 100_010);
  writeFileSync(path, Buffer.concat([bytes, bytes.subarray(0, 50)])); // and the last record is torn
  await server.start();
  const [synced] = await sync(server.url);
  expect(synced).toMatchObject({ status: 'sent' });
  expect(synced?.lost).toBeGreaterThan(0);
  expect((synced?.steps ?? 0) + (synced?.lost ?? 0)).toBe(10_000);
  expect(server.acceptedSteps).toHaveLength(synced?.steps ?? 0);
});

test('a file whose start is damaged is kept, and said to be', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { path } = await leave(server, [1]);
  const bytes = readFileSync(path);
  bytes.fill(0, 30, 40);
  writeFileSync(path, bytes);
  await server.start();
  expect(await sync(server.url)).toMatchObject([{ status: 'kept', reason: expect.stringMatching(/first record/) }]);
  await using recorded = openTestRun(server, spooling());
  expect(await recorded.run.finish()).toMatchObject({ delivered: true });
  expect(files()).toHaveLength(1);
});

test('a command for a run that was left is not obeyed in its place', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { id } = await leave(server, [1]);
  await server.start();
  let answer: unknown;
  server.answer = async ({ event }, socket) => {
    const stop = { id: '01990000-0000-7000-8000-000000000001', run: id, kind: 'stop', reason: 'diverged' };
    if (event === 'steps') answer = await socket.timeout(60_000).emitWithAck('command', stop);
    return OK;
  };
  await sync(server.url);
  expect(answer).toMatchObject({ field: 'run', retry: true });
});

test('steps beyond the memory of a run come back from the file, in order, and none is lost', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling(), 100);
  const { run, warnings } = recorded;
  for (const step of range(0, 50)) run.log({ step });
  await vi.waitFor(() => expect(files()).toHaveLength(1), SOON);
  for (const step of range(50, 40_000)) run.log({ step });
  expect(run.pending).toBe(40_000);
  await vi.waitFor(() => expect(spooledSteps()).toEqual(range(0, 40_000)), SOON);
  await server.start();
  for (const step of range(40_000, 40_500)) run.log({ step });
  expect(await run.finish('finished', undefined, { timeoutMs: 60_000 })).toMatchObject({ delivered: true, pending: 0 });
  expect(server.acceptedSteps).toEqual(range(0, 40_500));
  expect(warnings.filter((warning) => !warning.includes('cannot be reached'))).toEqual([]);
  expect(files()).toEqual([]);
});

test('values that are left out meanwhile cost no step behind the memory of a run', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling(), 100);
  const { run } = recorded;
  const fast: unknown = 'fast';
  const log = (step: number) => run.log({ step, lr: step % 20 === 0 ? (fast as number) : 1 });
  for (const last of [50, 1_000, 5_000, 20_000]) {
    for (const step of range(run.pending, last)) log(step);
    await vi.waitFor(() => expect(spooledSteps()).toEqual(range(0, last)), SOON);
  }
  await server.start();
  expect(await run.finish('finished', undefined, { timeoutMs: 60_000 })).toMatchObject({ delivered: true, pending: 0 });
  expect(server.acceptedSteps).toEqual(range(0, 20_000));
});

test('a spool is bounded: what goes beyond is kept in memory, with a warning', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { path } = await leave({ url: 'http://127.0.0.1:9' }, range(0, 100));
  const maxBytes = statSync(path).size + 10_000;
  await using recorded = openTestRun(server, spooling(), 100_000, {}, { maxBytes });
  const { run, warnings } = recorded;
  for (const step of range(0, 5_000)) {
    run.log({ step });
    if (step % 50 === 0) await new Promise((wake) => setTimeout(wake, 1));
  }
  await vi.waitFor(() => expect(warnings.join()).toContain('the spool is full'), SOON);
  const sizes = files().map((name) => statSync(join(folder, name)).size);
  expect(sizes).toHaveLength(2);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(maxBytes);
  await server.start();
  expect(await run.finish()).toMatchObject({ delivered: true });
  expect(server.acceptedSteps).toEqual(range(0, 5_000));
});

test('a file that holds little else than what is acknowledged is written again, before it is full', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling(), 100_000, {}, { maxBytes: 100_000 });
  const { run, warnings } = recorded;
  let step = 0;
  const log = () => run.log({ step: step++ });
  log();
  await vi.waitFor(() => expect(files()).toHaveLength(1), SOON);
  const [first] = files();
  server.answer = async ({ event }) => {
    if (event !== 'steps') return OK;
    await new Promise((wake) => setTimeout(wake, 2));
    for (const _ of range(0, step < 20_000 ? 64 : 0)) log(); // so that some step is always pending
    return OK;
  };
  await server.start();
  await vi.waitFor(() => expect(files().at(0)).not.toBe(first), SOON);
  await settled(run);
  await vi.waitFor(() => expect(files()).toEqual([]), SOON);
  expect(server.acceptedSteps).toEqual(range(0, step));
  expect(warnings.filter((warning) => !warning.includes('cannot be reached'))).toEqual([]);
});

test('a folder that cannot be written costs a warning, not the run', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const notAFolder = join(folder, 'file');
  writeFileSync(notAFolder, '');
  chmodSync(notAFolder, 0o400);
  await using recorded = openTestRun(server, { spool: join(notAFolder, 'spool') });
  const { run, warnings } = recorded;
  run.log({ step: 1 });
  await vi.waitFor(() => expect(warnings.join()).toContain('cannot be written to the spool: ENOTDIR'), SOON);
  await server.start();
  expect(await run.finish()).toMatchObject({ delivered: true });
});

test('what was left is not sent for a run that the server refuses for good', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, spooling());
  recorded.run.log({ step: 1 });
  await vi.waitFor(() => expect(files()).toHaveLength(1), SOON);
  server.answer = () => new RefusedError('project', 'another').toRefusal();
  await server.start();
  await vi.waitFor(() => expect(files()).toEqual([]), SOON);
  expect(await recorded.run.finish()).toMatchObject({ delivered: false, spool: null });
});
