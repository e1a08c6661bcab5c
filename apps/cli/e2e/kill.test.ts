import { randomUUID } from 'node:crypto';
import { listAlerts, listCommands, openDatabase, recentSteps } from '@evenkeel/db';
import { type StepInput, startRun } from '@evenkeel/emit';
import { encodeSteps, PROTOCOL_VERSION } from '@evenkeel/protocol';
import { freePort, temporaryFolder } from '@evenkeel/testing';
import { io, type Socket } from 'socket.io-client';
import { expect, test, vi } from 'vitest';
import { serve } from './evenkeel.ts';

test('kill -9 of the server loses no acknowledged step', async () => {
  using folder = temporaryFolder();
  const runs = Array.from({ length: 6 }, () => randomUUID());
  const acknowledged = new Map<string, number>();
  const refusals: unknown[] = [];
  {
    await using server = await serve(folder.path);
    const sockets: Socket[] = [];
    for (const run of runs) sockets.push(emitUntilKilled(server.url, run, { acknowledged, refusals }));
    const slowest = () => Math.min(...runs.map((run) => acknowledged.get(run) ?? -1));
    await expect.poll(slowest).toBeGreaterThan(KILL_AFTER_STEPS);
    server.child.kill('SIGKILL');
    await server.ended;
    for (const socket of sockets) socket.disconnect();
    expect(refusals).toEqual([]);
  }
  await using db = await openDatabase({ dataDir: folder.path });
  for (const run of runs) {
    const last = acknowledged.get(run) ?? -1;
    const stored = (await recentSteps(db, { run, limit: 100_000 })).map(({ step }) => step);
    expect(stored.slice(0, last + 1)).toEqual(Array.from({ length: last + 1 }, (_, step) => step));
  }
});

const KILL_AFTER_STEPS = 200;

interface Progress {
  /** The last acknowledged step by run. */
  acknowledged: Map<string, number>;
  /** Answers other than an acknowledgement. */
  refusals: unknown[];
}

/** When the trainers began. */
const BEGAN = 1_700_000_000_000;

/** Sends single steps, one after another. */
function emitUntilKilled(url: string, run: string, { acknowledged, refusals }: Progress): Socket {
  const socket = io(`${url}/ingest`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { protocol: PROTOCOL_VERSION, client: 'test' },
  });
  const emit = async () => {
    await socket.emitWithAck('run:start', { run, attempt: 1, project: 'test', name: 'killed', startedAt: 1 });
    for (let step = 0; socket.connected; step++) {
      const frame = encodeSteps({ run, attempt: 1, steps: [{ step, time: BEGAN + step, loss: 1 }] });
      const ack = await socket.emitWithAck('steps', frame);
      if (ack.ok !== true) return void refusals.push(ack);
      acknowledged.set(run, step);
    }
  };
  // The kill rejects whatever still waits for an acknowledgement; that is the end of this emitter.
  socket.on('connect', () => emit().catch(() => undefined));
  return socket;
}

test('an emitter reconnects by itself after kill -9 and the run has no hole', async () => {
  using folder = temporaryFolder();
  const port = String(await freePort());
  const first = await serve(folder.path, port);
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
  expect(await run.finish('finished', undefined, { timeoutMs: 120_000 })).toEqual({
    delivered: true,
    pending: 0,
    spool: null,
    dropped: [],
  });
  second.child.kill('SIGTERM');
  await second.ended;
  await using db = await openDatabase({ dataDir: folder.path });
  const stored = await recentSteps(db, { run: run.id, limit: 100_000 });
  expect(stored.map((each) => each.step)).toEqual(Array.from({ length: 1_500 }, (_, at) => at));
});

test('killing the server between two steps changes no alert, and no command is obeyed twice', {
  timeout: 300_000,
}, async () => {
  const steady = await watched([]);
  expect(steady.alerts).toMatchObject([
    { rule: 'non-finite', severity: 'critical', step: 300 },
    { rule: 'tev-growth', severity: 'critical', step: expect.toSatisfy((step) => step > 200 && step < 230) },
  ]);
  expect(steady.commands).toMatchObject([{ kind: 'stop', by: 'tev-growth', status: 'done' }]);
  expect(steady.obeyed).toEqual(['stop']);
  const [, growth] = steady.alerts;
  const critical = growth?.window[1] ?? 0;
  // before it opens, while it is a warning, just before and just after it becomes critical
  const killed = await watched([100, (growth?.step ?? 0) + 1, critical, critical + 1]);
  expect(killed).toEqual(steady);
});

/** TEV grows like the root of the step up to step 200, from there it doubles every 40 steps; step 300 is not finite. */
const ramp = (step: number): StepInput => ({
  step,
  time: BEGAN + step,
  loss: step === 300 ? Number.NaN : 2,
  tevMean: 0.02 * Math.min(step + 1, 200) ** 0.5 * 2 ** (Math.max(0, step - 200) / 40),
});

/** The alerts and commands of a run whose server is killed before these steps. Its trainer continues after a stop. */
async function watched(kills: readonly number[]) {
  using folder = temporaryFolder();
  const port = String(await freePort());
  let server = await serve(folder.path, port);
  const obeyed: string[] = [];
  const run = await startRun({
    ...{ server: server.url, project: 'test', name: 'replayed', onWarning: () => {} },
    policy: { critical: { kind: 'stop' } },
    onCommand: ({ kind }) => void obeyed.push(kind),
  });
  for (let step = 0; step <= 320; step++) {
    if (kills.includes(step)) {
      await run.drained();
      server.child.kill('SIGKILL');
      await server.ended;
      server = await serve(folder.path, port);
    }
    run.log(ramp(step));
  }
  await run.drained();
  await vi.waitFor(() => expect(obeyed).toHaveLength(1), 60_000);
  expect(await run.finish('stopped', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });
  server.child.kill('SIGTERM'); // it evaluates every step that it received
  await server.ended;
  await using db = await openDatabase({ dataDir: folder.path });
  const alerts = await listAlerts(db, { run: run.id, limit: 99 });
  const commands = await listCommands(db, { run: run.id, limit: 99 });
  return {
    obeyed,
    alerts: alerts
      .map(({ rule, severity, status, attempt, step, message, evidence, window, risk, divergenceStep }) => ({
        ...{ rule, severity, status, attempt, step, message, evidence, window, risk, divergenceStep },
      }))
      .sort((a, b) => a.rule.localeCompare(b.rule)),
    commands: commands.map(({ kind, by, reason, step, status }) => ({ kind, by, reason, step, status })),
  };
}

/** Resolves when the server has acknowledged everything. */
async function drained(run: { pending: number }): Promise<void> {
  while (run.pending > 0) await new Promise((resolve) => setImmediate(resolve));
}
