import { randomUUID } from 'node:crypto';
import {
  type Database,
  getRun,
  insertSteps,
  listAlerts,
  openDatabase,
  readChart,
  recentSteps,
  startRun,
} from '@evenkeel/db';
import { parse, runStart, type StepEvent } from '@evenkeel/protocol';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Judge } from './judge.ts';
import { startOf, stepsFrom } from './testing.ts';

const SERVER = inject('postgresUrl') ?? '';
const START = Date.UTC(2026, 0, 1);

describe('parts of steps on PGlite', () => withDatabase(async () => ({ inMemory: true })));
describe.skipIf(!SERVER)('parts of steps on PostgreSQL', () => withDatabase(createPostgres));

async function createPostgres() {
  const name = `evenkeel_parts_${randomUUID().replaceAll('-', '')}`;
  const admin = new pg.Client(SERVER);
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(SERVER);
  url.pathname = name;
  return { url: url.href };
}

/** A run that is judged as its messages come, by a clock that the test moves. */
interface Judged {
  run: string;
  /** Stores a message, then judges it, at so many milliseconds from the start. */
  send(steps: StepEvent[], at?: number): Promise<void>;
  restart(): Promise<void>;
  /** All that has come is judged. */
  settled(): Promise<void>;
  /** The run has ended. */
  end(): Promise<void>;
  alerts(): Promise<unknown[]>;
}

function withDatabase(target: () => Promise<Parameters<typeof openDatabase>[0]>): void {
  let db: Database;
  const problems: string[] = [];
  beforeAll(async () => {
    db = await openDatabase(await target());
  });
  afterAll(async () => {
    expect(problems).toEqual([]);
    await db.close();
  });

  async function judgedRun(): Promise<Judged> {
    const run = randomUUID();
    await startRun(db, parse(runStart, startOf(run)), new Date(START));
    let clock = START;
    const now = () => new Date(clock);
    const log = (_level: string, message: string, error?: unknown) => problems.push(`${message}: ${error}`);
    const open = () => new Judge({ db, now, log, events: new LocalEventPort(log) });
    let judge = open();
    return {
      run,
      send: async (steps, at = clock - START) => {
        clock = START + at;
        judge.judgeDue();
        expect(await insertSteps(db, [{ run, attempt: 1, steps }], now())).toEqual([[]]);
        judge.observe({ run, attempt: 1, steps });
      },
      restart: async () => {
        await judge.close();
        judge = open();
        judge.resume(run);
      },
      settled: () => judge.settled(run),
      end: async () => {
        judge.forget(run);
        await judge.idle();
      },
      alerts: async () => {
        const alerts = await listAlerts(db, { run, limit: 100 });
        return alerts.map(({ id: _id, run: _run, openedAt: _at, resolvedAt: _until, ...alert }) => alert).reverse();
      },
    };
  }

  const placesOf = async (judged: Judged) => {
    const alerts = await listAlerts(db, { run: judged.run, limit: 100 });
    return alerts.map(({ rule, step, status }) => `${rule} ${step} ${status}`).sort();
  };

  test('any split, repetition, reordering and interleaving within two seconds gives the same run and alerts', async () => {
    const whole = await judgedRun();
    for (const [at, steps] of inBatches(EVENTS, 10).entries()) await whole.send(steps, at * 10 * STEP_MS);
    await whole.end();
    const stored = await recentSteps(db, { run: whole.run, limit: 1_000 });
    expect(await placesOf(whole)).toEqual([
      expect.stringMatching(/^grad-variance 1\d\d /),
      'loss-spike 100 resolved',
      'non-finite 150 resolved',
    ]);
    for (let seed = 1; seed <= 4; seed++) {
      const random = seeded(seed);
      const scattered = await judgedRun();
      const messages = scatter(random);
      for (const [at, { steps, time }] of messages.entries()) {
        await scattered.send(steps, time);
        if (seed === 4 && at === Math.floor(messages.length / 3)) await scattered.restart();
      }
      await scattered.end();
      expect(await recentSteps(db, { run: scattered.run, limit: 1_000 }), `seed ${seed}`).toEqual(stored);
      expect(await scattered.alerts(), `seed ${seed}`).toEqual(await whole.alerts());
    }
  });

  test('a NaN in a late part of a judged step opens the alert, once', async () => {
    const judged = await judgedRun();
    await judged.send(stepsFrom(0, 50));
    await judged.send(stepsFrom(50, 50), 5_000);
    await judged.settled();
    for (let times = 0; times < 2; times++) await judged.send([{ step: 20, time: 1, gradNorm: Number.NaN }], 9_000);
    await judged.send(stepsFrom(100, 100), 20_000);
    await judged.send([{ step: 20, time: 1, gradNorm: Number.NaN }], 29_000);
    await judged.end();
    expect(await placesOf(judged)).toEqual(['non-finite 20 resolved']);
  });

  test('a NaN in a step behind the judged one opens the alert and rewinds nothing', async () => {
    const judged = await judgedRun();
    await judged.send([...stepsFrom(0, 20), ...stepsFrom(21, 79)]);
    await judged.settled(); // or a judge that only begins would find the late step in the database
    await judged.send([{ step: 20, time: 1, loss: Number.POSITIVE_INFINITY }], 9_000);
    await judged.send(
      stepsFrom(100, 10, (step) => (step === 105 ? 9 : 2)),
      10_000,
    );
    await judged.end();
    expect(await placesOf(judged)).toEqual(['loss-spike 105 open', 'non-finite 20 open']);
  });

  test('a late part that was stored just before a crash is looked at after it', async () => {
    const judged = await judgedRun();
    await judged.send(stepsFrom(0, 50));
    await judged.send(stepsFrom(50, 10), 5_000);
    await judged.restart();
    const late = { step: 20, time: 1, gradVar: Number.NaN };
    await insertSteps(db, [{ run: judged.run, attempt: 1, steps: [late] }], new Date(START));
    await judged.restart();
    await judged.send(stepsFrom(60, 1), 9_000);
    await judged.end();
    expect(await placesOf(judged)).toEqual(['non-finite 20 open']);
  });

  test('a huge step number does not blind the rules, freeze the latest step or squeeze the chart', async () => {
    const judged = await judgedRun();
    const wrong = { step: 10_000_000, time: 1_050, loss: 2 };
    await judged.send(stepsFrom(0, 50));
    await judged.send([wrong], 3_000);
    await judged.send(stepsFrom(50, 50), 6_000);
    await judged.send(
      stepsFrom(100, 3, () => Number.NaN),
      9_000,
    );
    await judged.end();
    expect(await placesOf(judged)).toEqual(['non-finite 100 open']);
    const run = await getRun(db, judged.run);
    expect(run).toMatchObject({ lastStep: 102, attempts: [{ firstStep: 0, lastStep: 102, outliers: [10_000_000] }] });
    const chart = await readChart(db, { run: judged.run, columns: 1_000 });
    expect([chart.firstStep, chart.lastStep, chart.columnSteps]).toEqual([0, 102, 1]);
  });

  test('a real jump of step numbers is judged from its first step on', async () => {
    const judged = await judgedRun();
    const far = stepsFrom(10_000_000, 12, (step) => (step === 10_000_001 ? Number.NaN : 2));
    await judged.send(stepsFrom(0, 50));
    for (const [at, step] of far.entries()) await judged.send([step], 3_000 + 3_000 * at);
    await judged.end();
    expect(await placesOf(judged)).toEqual(['non-finite 10000001 open']);
    expect(await getRun(db, judged.run)).toMatchObject({ attempts: [{ lastStep: 10_000_011, outliers: [] }] });
  });
}

const STEPS = 240;
const STEP_MS = 50;
/** A message waits for its last part, some 500 ms more. */
const LATE_MS = 1_400;

/** Healthy but for a spike at 100, gradient variance that rises from 120 on for a while, and a NaN at 150. */
const EVENTS: StepEvent[] = Array.from({ length: STEPS }, (_, step) => ({
  step,
  time: 1_000 + step,
  loss: step === 100 ? 9 : 2 + 0.01 * (step % 3),
  gradVar: step >= 120 && step < 140 ? 500 + step : 1 + 0.1 * (step % 5),
  gradNorm: step === 150 ? Number.NaN : 1,
  custom: { evalLoss: step / 7 },
}));

/** The same numbers every time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function inBatches(steps: readonly StepEvent[], size: number): StepEvent[][] {
  return Array.from({ length: steps.length / size }, (_, at) => steps.slice(at * size, (at + 1) * size));
}

/** All fields of all steps, some of them twice, in messages that come less than two seconds after their step. */
function scatter(random: () => number): { steps: StepEvent[]; time: number }[] {
  const parts = EVENTS.flatMap(({ step, time, ...fields }) => {
    const entries = Object.entries(fields);
    const repeated = entries.filter(() => random() < 0.2);
    return [...entries, ...repeated].map(([name, value]) => {
      const at = step * STEP_MS + random() * LATE_MS;
      return { at, part: { step, time: time + Math.floor(10 * random()), [name]: value } as StepEvent };
    });
  });
  const first = EVENTS.map(({ step, time }) => ({ at: step * STEP_MS + random() * LATE_MS, part: { step, time } }));
  const all = [...parts, ...first].sort((one, other) => one.at - other.at);
  const messages: { steps: StepEvent[]; time: number }[] = [];
  while (all.length > 0) {
    const taken = all.splice(0, 1 + Math.floor(random() * 60));
    messages.push({ steps: taken.map(({ part }) => part), time: Math.max(...taken.map(({ at }) => at)) });
  }
  return messages;
}
