import { randomUUID } from 'node:crypto';
import { listAlerts, openDatabase, recentSteps } from '@evenkeel/db';
import { encodeSteps, PROTOCOL_VERSION, type StepEvent } from '@evenkeel/protocol';
import { io } from 'socket.io-client';
import { expect } from 'vitest';

/** A value that must not show in any log. */
const SECRET = 73_577_357.5;
const BATCH = 4;
const PAUSE_MS = 20;

export interface SteadyEmitters extends Disposable {
  /** Steps of all runs together that are acknowledged. */
  acknowledged(): number;
  /** What the server answered instead of an ack. */
  refusals: { error: string; retry?: boolean }[];
  /** Every run reports a NaN with its next step. */
  spoil(): void;
  /** Ends every run once all that was sent is acknowledged, and returns what was sent, by run. */
  finish(): Promise<Map<string, StepEvent[]>>;
}

/** Trainers that send batch after batch, each again until it is acknowledged, and come back where they are cut off. */
export function steadyEmitters(url: string, count = 4): SteadyEmitters {
  const refusals: SteadyEmitters['refusals'] = [];
  const emitters = Array.from({ length: count }, () => steadyEmitter(url, refusals));
  const disconnect = () => {
    for (const emitter of emitters) emitter.socket.disconnect();
  };
  return {
    refusals,
    acknowledged: () => emitters.reduce((sum, { sent }) => sum + sent.length, 0),
    spoil: () => {
      for (const emitter of emitters) emitter.spoil();
    },
    finish: async () => {
      const sent = await Promise.all(emitters.map(async ({ run, end }) => [run, await end()] as const));
      disconnect();
      return new Map(sent);
    },
    [Symbol.dispose]: disconnect,
  };
}

function steadyEmitter(url: string, refusals: SteadyEmitters['refusals']) {
  const run = randomUUID();
  const auth = { protocol: PROTOCOL_VERSION, client: 'test' };
  const socket = io(`${url}/ingest`, { transports: ['websocket'], forceNew: true, reconnectionDelayMax: 500, auth });
  const sent: StepEvent[] = [];
  let [isSpoilt, isOver] = [false, false];
  const start = () => {
    const fields = { run, attempt: 1, project: 'test', name: run, startedAt: 1_000, notes: String(SECRET) };
    return acknowledge('run:start', fields);
  };
  /** Again until it is acknowledged; an answer that is lost with its connection is as good as none. */
  const acknowledge = async (event: string, message: unknown): Promise<void> => {
    while (!socket.disconnected || socket.active) {
      const answer = await socket
        .timeout(5_000)
        .emitWithAck(event, message)
        .catch(() => null);
      if (answer?.ok === true) return;
      if (answer?.error.includes('was not started on this connection')) await start();
      else if (answer) refusals.push(answer);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const report = (async () => {
    await start();
    while (!isOver) {
      const steps = Array.from({ length: BATCH }, (_, at) => aStep(sent.length + at));
      if (isSpoilt && steps[0]) steps[0].loss = Number.NaN;
      isSpoilt = false;
      await acknowledge('steps', encodeSteps({ run, attempt: 1, steps }));
      sent.push(...steps);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })();
  return {
    run,
    socket,
    sent,
    spoil: () => {
      isSpoilt = true;
    },
    end: async () => {
      isOver = true;
      await report;
      await acknowledge('run:finish', { run, attempt: 1, status: 'finished' });
      return sent;
    },
  };
}

function aStep(step: number): StepEvent {
  return { step, time: 1_700_000_000_000 + step, loss: 3 + step / 8, tevMean: 0.125, custom: { secret: SECRET } };
}

/** Everything that was acknowledged is in the database once, as it was sent, and every NaN has its one alert. */
export async function expectStored(
  target: Parameters<typeof openDatabase>[0],
  sent: Map<string, StepEvent[]>,
): Promise<void> {
  await using db = await openDatabase(target);
  for (const [run, steps] of sent) {
    const stored = await recentSteps(db, { run, limit: 1_000_000 });
    expect(stored).toEqual(steps.map((step) => expect.objectContaining(step)));
    const alerts = await listAlerts(db, { run, limit: 99 });
    const spoilt = steps.filter(({ loss }) => Number.isNaN(loss));
    expect(alerts.filter(({ rule }) => rule === 'non-finite')).toMatchObject(spoilt.map(({ step }) => ({ step })));
  }
}

/** The server's log prints a failure once and then, for so many milliseconds, only counts it. */
const LOG_WINDOW_MS = 10_000;
/** What a fault makes fail: a probe, commits, starts, judging and the like, with a few causes as it comes and goes. */
const MAX_KINDS = 16;

/** A log of a fault has a few kinds of lines, each twice in a window of time at most, and shows nothing that was sent. */
export function expectShortLog(output: string): void {
  const timesByKind = new Map<string, number[]>();
  for (const [, time = '', text = ''] of output.matchAll(/^(\S+Z) error (.*)$/gm)) {
    const kind = text
      .replace(/ \(\d+ more in the last \d+ s\)$/, '')
      .replaceAll(/[\da-f]{8}(-[\da-f]{4,12}){4}|\d+/g, '#');
    timesByKind.set(kind, [...(timesByKind.get(kind) ?? []), Date.parse(time)]);
  }
  expect(timesByKind.size).toBeGreaterThan(0);
  expect(timesByKind.size, [...timesByKind.keys()].join('\n')).toBeLessThanOrEqual(MAX_KINDS);
  for (const [kind, times] of timesByKind) {
    const windows = 1 + Math.floor((Math.max(...times) - Math.min(...times)) / LOG_WINDOW_MS);
    expect(times.length, kind).toBeLessThanOrEqual(2 * windows + 1); // the last count is printed as the process ends
  }
  expect(output).not.toContain(String(SECRET));
  expect(output).not.toContain('params:');
}
