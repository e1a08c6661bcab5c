import { randomUUID } from 'node:crypto';
import { type Database, getRun, insertSteps, listAlerts, listCommands, removeStep, startRun } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { parse, runStart, type StepEvent } from '@evenkeel/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Judge } from './judge.ts';
import { startOf } from './testing.ts';

const START = Date.UTC(2026, 0, 1);
const BATCH_MS = 3_000;

let db: Database;
const problems: string[] = [];
beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(async () => {
  expect(problems).toEqual([]);
  await db.close();
});

type Act = { send: StepEvent[] } | { remove: number; removed: boolean } | 'restart';

/** Lets a run do one thing after another, three seconds apart. @returns its id. */
async function live(acts: readonly Act[], about: object = {}): Promise<string> {
  const run = randomUUID();
  let clock = START;
  const now = () => new Date(clock);
  const log = (_level: string, message: string, error?: unknown) => problems.push(`${message}: ${error}`);
  const open = () => new Judge({ db, now, log, events: new LocalEventPort(log) });
  let judge = open();
  await startRun(db, parse(runStart, { ...startOf(run), ...about }), now());
  for (const act of acts) {
    clock += BATCH_MS;
    if (act === 'restart') {
      await judge.close();
      judge = open();
      judge.resume(run);
    } else if ('send' in act) {
      expect(await insertSteps(db, [{ run, attempt: 1, steps: act.send }], now())).toEqual([[]]);
      judge.judgeDue();
      judge.observe({ run, attempt: 1, steps: act.send });
    } else {
      const key = { run, attempt: 1, step: act.remove };
      await removeStep(db, { ...key, removed: act.removed, by: null }, now());
      judge.revise(key);
    }
    await judge.settled(run); // a wrong step is judged before those after it can show that it is none
  }
  judge.forget(run);
  await judge.idle();
  return run;
}

async function alertsOf(run: string): Promise<string[]> {
  const alerts = await listAlerts(db, { run, limit: 100 });
  return alerts.map(({ rule, step, severity, status }) => `${rule} ${step} ${severity} ${status}`).sort();
}

/** Healthy but for spikes of the loss; of a trainer whose clock goes on by one millisecond with each step that it sends. */
function steps(numbers: readonly number[], spikes: readonly number[]): StepEvent[] {
  return numbers.map((step, at) => ({
    step,
    time: START + at,
    loss: spikes.includes(step) ? 9 : 2 + 0.01 * (step % 2),
  }));
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => first + at);
}

function inBatches(sent: readonly StepEvent[], size: number): Act[] {
  return range(0, Math.ceil(sent.length / size)).map((at) => ({ send: sent.slice(at * size, (at + 1) * size) }));
}

/** A batch ends with the step at a place, so that it is judged before those after it come. */
function inBatchesUntil(sent: readonly StepEvent[], size: number, place: number): Act[] {
  return [...inBatches(sent.slice(0, place + 1), size), ...inBatches(sent.slice(place + 1), size)];
}

test('a wrong number of 99 times the run does not blind the rules: the spike after it is found', async () => {
  const sent = steps([...range(0, 1_000), 100_000, ...range(1_000, 400)], [1_200]);
  const run = await live(inBatchesUntil(sent, 100, 1_000));
  expect(await alertsOf(run)).toEqual(['loss-spike 1200 warning resolved']);
  expect(await getRun(db, run)).toMatchObject({
    lastStep: 1_399,
    attempts: [{ lastStep: 1_399, outliers: [100_000] }],
  });
});

test('a wrong number in a young run blinds them neither by itself, nor when it is removed, nor after a restart', async () => {
  const numbers = [...range(0, 6), 10_000_000, ...range(6, 794)];
  const batches = inBatchesUntil(steps(numbers, [150, 400, 700]), 50, 6);
  const removal = { remove: 10_000_000, removed: true };
  const run = await live([...batches.slice(0, 7), removal, ...batches.slice(7, 12), 'restart', ...batches.slice(12)]);
  expect(await alertsOf(run)).toEqual([150, 400, 700].map((step) => `loss-spike ${step} warning resolved`));
});

test('a judge that was killed with a wrong number as the last that it has judged finds what came since', async () => {
  const sent = steps([...range(0, 100), 5_000, ...range(100, 300)], [150]);
  const run = randomUUID();
  await startRun(db, parse(runStart, startOf(run)), new Date(START));
  const log = (_level: string, message: string, error?: unknown) => problems.push(`${message}: ${error}`);
  const open = () => new Judge({ db, now: () => new Date(START), log, events: new LocalEventPort(log) });
  const store = (batch: StepEvent[]) => insertSteps(db, [{ run, attempt: 1, steps: batch }], new Date(START));
  const before = open();
  await store(sent.slice(0, 101));
  before.observe({ run, attempt: 1, steps: sent.slice(0, 101) });
  before.forget(run); // as it falls silent: it was judged to 5,000, and that is stored
  await before.close();
  await store(sent.slice(101));
  const after = open();
  after.resume(run);
  await after.close();
  expect(await alertsOf(run)).toEqual(['loss-spike 150 warning resolved']);
});

test('a step that a person removes is judged no more, and again when it is brought back', async () => {
  const batches = inBatches(steps(range(0, 200), [150]), 50);
  const removal = { remove: 150, removed: true };
  const glitch = { send: [{ step: 200, time: START + 200, loss: 9 }] };
  const removed = await live([...batches, removal, glitch]);
  expect(await alertsOf(removed)).toEqual(['loss-spike 150 warning resolved', 'loss-spike 200 warning open']);
  // with the first spike in force again, the second is none
  const undone = await live([...batches, removal, { ...removal, removed: false }, glitch]);
  expect(await alertsOf(undone)).toEqual(['loss-spike 150 warning resolved']);
});

test('the alerts of a run are those of the same run without a wrong step, wherever, however large and removed or not', async () => {
  const COUNT = 400;
  const numbers = range(0, COUNT);
  const spikes = [120, 290];
  const clean = await alertsOf(await live(inBatches(steps(numbers, spikes), 40)));
  expect(clean).toEqual(spikes.map((step) => `loss-spike ${step} warning resolved`));
  const wrongSteps = fc.record({
    at: fc.integer({ min: 0, max: COUNT - 10 }),
    ahead: fc.integer({ min: COUNT, max: 2 ** 40 }),
    size: fc.integer({ min: 10, max: 60 }),
    isJudgedFirst: fc.boolean(),
    /** After which of the batches it is removed, brought back, and the server restarted; some are past the last. */
    removedAfter: fc.integer({ min: 0, max: 20 }),
    restoredAfter: fc.integer({ min: 0, max: 20 }),
    restartAfter: fc.integer({ min: 0, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(
      wrongSteps,
      async ({ at, ahead, size, isJudgedFirst, removedAfter, restoredAfter, restartAfter }) => {
        const wrong = at + ahead;
        const sent = steps(numbers.toSpliced(at, 0, wrong), spikes);
        const batches = isJudgedFirst ? inBatchesUntil(sent, size, at) : inBatches(sent, size);
        const acts = batches.flatMap((batch, place): Act[] => {
          const isStored = size * place > at;
          const removal: Act[] = isStored && place === removedAfter ? [{ remove: wrong, removed: true }] : [];
          const undo: Act[] = isStored && place === restoredAfter ? [{ remove: wrong, removed: false }] : [];
          return [batch, ...removal, ...undo, ...(place === restartAfter ? ['restart' as const] : [])];
        });
        const run = await live(acts);
        expect(await alertsOf(run)).toEqual(clean);
        expect(await getRun(db, run)).toMatchObject({
          lastStep: COUNT - 1,
          attempts: [{ firstStep: 0, lastStep: COUNT - 1 }],
        });
      },
    ),
    { numRuns: 25 },
  );
});

test('no policy answers what is found again in steps that were judged before a person removed one', async () => {
  const broken = steps(range(0, 400), []).map((step) => {
    return step.step === 300 || step.step === 301 ? { ...step, loss: Number.NaN } : step;
  });
  const policy = { critical: { kind: 'stop' } } as const;
  const run = await live([{ send: broken }, { remove: 300, removed: true }], { policy });
  expect(await alertsOf(run)).toEqual(['non-finite 300 critical resolved', 'non-finite 301 critical resolved']);
  expect(await listCommands(db, { run, limit: 9 })).toMatchObject([{ kind: 'stop', step: 300 }]);
});
