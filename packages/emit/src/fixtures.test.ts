import { readdirSync, readFileSync } from 'node:fs';
import { command, commandDone, decodeSteps, parse, startRequest, stepBatch } from '@evenkeel/protocol';
import { describe, expect, test, vi } from 'vitest';
import type { Command, StartRunOptions } from './public.ts';
import { IngestServer, openTestRun, settled } from './testing.ts';

// What every client of the protocol is tested against: see its README.md.
const FOLDER = new URL('../../protocol/fixtures/', import.meta.url);

function read(file: string) {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
}

/** All fixtures of a message, by file. */
function fixturesOf(kind: string): [file: string, message: ReturnType<typeof read>][] {
  const files = readdirSync(FOLDER).filter((file) => file.startsWith(`${kind}.`) && file.endsWith('.json'));
  return files.map((file) => [file, read(file)]);
}

const START = read('start.json');

/** What `startRun` is given to start what a fixture starts. */
function optionsOf(start: Record<string, unknown>): Partial<StartRunOptions> {
  const { run: id, ...described } = parse(startRequest, start);
  if (typeof described.attempt !== 'number') throw new Error('emit numbers its attempts');
  return { ...described, id, attempt: described.attempt, onCommand: () => {} };
}

describe('what is sent', () => {
  test.each(fixturesOf('finish'))('%s, after the start and the steps in JSON', async (_file, finish) => {
    await using server = await IngestServer.listen();
    await using recorded = openTestRun(server, optionsOf(START));
    const batch = parse(stepBatch, read('steps.json'));
    for (const step of batch.steps) recorded.run.log(step);
    await recorded.run.finish(finish.status, finish.reason ?? undefined, { endedAt: finish.endedAt });
    const sent = (event: string) =>
      server.received.filter((message) => message.event === event).map(({ payload }) => payload);
    expect(sent('run:start')).toMatchObject([START]);
    expect(sent('steps').map((frame) => decodeSteps(frame as Uint8Array))).toEqual([batch]);
    expect(sent('run:finish')).toMatchObject([finish]);
  });

  test('the newest frame, byte for byte', async () => {
    const { run: id, attempt, steps } = parse(stepBatch, read('batch.v2.json'));
    await using server = await IngestServer.listen();
    await using recorded = openTestRun(server, { ...optionsOf(START), id, attempt });
    for (const step of steps) recorded.run.log(step);
    await settled(recorded.run);
    const frames = server.received.filter(({ event }) => event === 'steps').map(({ payload }) => payload);
    expect(frames).toEqual([readFileSync(new URL('batch.v2.bin', FOLDER))]);
  });

  test.each(fixturesOf('command-done'))('%s, of the command with its id', async (_file, done) => {
    const given = fixturesOf('command').find(([, { id }]) => id === done.id)?.[1];
    await using trainer = await commanded(() => {
      if (done.error !== null) throw new Error(done.error);
      return done.result ?? undefined;
    });
    await trainer.send(given);
    const reports = () => trainer.server.received.filter(({ event }) => event === 'command:done');
    await vi.waitFor(() => expect(reports().map(({ payload }) => payload)).toMatchObject([done]), 30_000);
    expect(parse(commandDone, reports()[0]?.payload)).toMatchObject(done);
  });
});

/** A run that has started, and how its server commands it. */
async function commanded(onCommand: (given: Command) => string | undefined) {
  const server = await IngestServer.listen();
  const test = openTestRun(server, { ...optionsOf(START), onCommand });
  await vi.waitFor(() => expect(server.received).not.toEqual([]), 30_000);
  return {
    server,
    send: (given: object) => server.sockets[0]?.timeout(60_000).emitWithAck('command', given),
    [Symbol.asyncDispose]: async () => {
      await test[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('what is received', () => {
  test.each(fixturesOf('command'))('%s is acknowledged, and carried out as it is', async (_file, given) => {
    const obeyed: Command[] = [];
    await using trainer = await commanded((each) => void obeyed.push(each));
    expect(await trainer.send(given)).toEqual({ ok: true });
    expect(obeyed).toEqual([parse(command, given)]);
  });

  test.each(fixturesOf('ack'))('%s, as the answer to steps', async (_file, answer) => {
    await using server = await IngestServer.listen();
    const answers = [answer];
    server.answer = ({ event }) => (event === 'steps' && answers.shift()) || { ok: true };
    await using recorded = openTestRun(server, optionsOf(START));
    recorded.run.log({ step: 1, loss: 2 });
    await settled(recorded.run);
    const { dropped, delivered } = await recorded.run.finish();
    expect(dropped).toEqual(answer.dropped ?? []);
    const isRefusedForGood = answer.retry === false;
    expect(delivered).toBe(!isRefusedForGood);
    expect(server.batches).toEqual(answer.retry === true ? [[1], [1]] : [[1]]);
    if (isRefusedForGood) expect(recorded.warnings.join()).toContain(answer.error);
  });
});
