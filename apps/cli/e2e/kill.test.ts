import { randomUUID } from 'node:crypto';
import { openDatabase, recentSteps } from '@evenkeel/db';
import { startRun } from '@evenkeel/emit';
import { encodeSteps, PROTOCOL_VERSION } from '@evenkeel/protocol';
import { io, type Socket } from 'socket.io-client';
import { expect, test } from 'vitest';
import { serve, temporaryFolder } from './evenkeel.ts';

test('kill -9 of the server loses no acknowledged step', async () => {
  using folder = temporaryFolder();
  const runs = Array.from({ length: 6 }, () => randomUUID());
  const acknowledged = new Map<string, number>();
  const refusals: unknown[] = [];
  {
    await using server = await serve(folder.path);
    const sockets: Socket[] = [];
    await new Promise<void>((enough) => {
      for (const run of runs) sockets.push(emitUntilKilled(server.url, run, { acknowledged, refusals, enough }));
    });
    server.child.kill('SIGKILL');
    await server.ended;
    for (const socket of sockets) socket.disconnect();
    expect(refusals).toEqual([]);
  }
  await using db = await openDatabase({ dataDir: folder.path });
  for (const run of runs) {
    const last = acknowledged.get(run) ?? -1;
    expect(last).toBeGreaterThan(0);
    const stored = (await recentSteps(db, { run, limit: 100_000 })).map(({ step }) => step);
    expect(stored.slice(0, last + 1)).toEqual(Array.from({ length: last + 1 }, (_, step) => step));
  }
});

const KILL_AFTER_STEPS = 300;

interface Course {
  /** The last acknowledged step by run. */
  acknowledged: Map<string, number>;
  /** Answers other than an acknowledgement. */
  refusals: unknown[];
  enough: () => void;
}

/** Sends single steps, one after another. */
function emitUntilKilled(url: string, run: string, { acknowledged, refusals, enough }: Course): Socket {
  const socket = io(`${url}/ingest`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { protocol: PROTOCOL_VERSION, client: 'test' },
  });
  const emit = async () => {
    await socket.emitWithAck('run:start', { run, attempt: 1, project: 'test', name: 'killed', startedAt: 1 });
    for (let step = 0; socket.connected; step++) {
      const frame = encodeSteps({ run, attempt: 1, steps: [{ step, time: 1_000 + step, loss: 1 }] });
      const ack = await socket.emitWithAck('steps', frame);
      if (ack.ok !== true) return void refusals.push(ack);
      acknowledged.set(run, step);
      if (step === KILL_AFTER_STEPS) enough();
    }
  };
  // The kill rejects whatever still waits for an acknowledgement; that is the end of this emitter.
  socket.on('connect', () => emit().catch(() => undefined));
  return socket;
}

test('an emitter reconnects by itself after kill -9 and the run has no hole', async () => {
  using folder = temporaryFolder();
  const first = await serve(folder.path);
  const port = new URL(first.url).port;
  const run = await startRun({ server: first.url, project: 'test', name: 'survivor' });
  let step = 0;
  const log = (until: number) => {
    while (step < until) run.log({ step, loss: 1 / ++step });
  };
  log(500);
  await drained(run);
  log(700);
  first.child.kill('SIGKILL'); // with a batch on its way
  await first.ended;
  log(1_200);
  await using second = await serve(folder.path, port);
  log(1_500);
  expect(await run.finish('finished', undefined, { timeoutMs: 30_000 })).toEqual({ delivered: true, pending: 0 });
  second.child.kill('SIGTERM');
  await second.ended;
  await using db = await openDatabase({ dataDir: folder.path });
  const stored = await recentSteps(db, { run: run.id, limit: 100_000 });
  expect(stored.map((each) => each.step)).toEqual(Array.from({ length: 1_500 }, (_, at) => at));
});

/** Resolves when the server has acknowledged everything. */
async function drained(run: { pending: number }): Promise<void> {
  while (run.pending > 0) await new Promise((resolve) => setImmediate(resolve));
}
