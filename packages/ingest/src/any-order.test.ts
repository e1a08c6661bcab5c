import { randomUUID } from 'node:crypto';
import {
  findCustomNames,
  forgetRollups,
  getRun,
  listAlerts,
  readArrayChart,
  readChart,
  recentSteps,
  rollUp,
} from '@evenkeel/db';
import { describeDatabases } from '@evenkeel/db/testing';
import { ANONYMOUS, parse, runFinish, STEP_ARRAYS, type StepEvent, startRequest } from '@evenkeel/protocol';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { IngestContext } from './context.ts';
import { LocalEventPort } from './event-port.ts';
import { Ingest } from './ingest.ts';
import { startOf } from './testing.ts';

const START = Date.UTC(2026, 0, 1);
const STEP_MS = 50;
/** Beside the longest slice, less than the two seconds that the judge waits for parts. */
const LATE_MS = 1_400;
const SLICE_MS = 500;
/** Before this no attempt has an alert. */
const CALM_MS = 2_000;

/** Far enough apart, and below zero too, that rows of every kind of rollup are complete. */
const numberOf = (index: number) => 16 * index - 512;

/** Binary fractions: their sums are exact, in whatever order they are added up. */
function aStep(index: number, attempt: number): StepEvent {
  const isSpike = attempt === 1 && index === 100;
  return {
    step: numberOf(index),
    time: START + 100 * index,
    loss: isSpike ? 9 : 2 + attempt / 4 + (index % 3) / 64,
    gradVar: attempt === 1 && index >= 120 ? 512 + index : 1 + (index % 5) / 8,
    gradNorm: attempt === 2 && index === 150 ? Number.NaN : 1,
    tokens: 1_024 * index,
    tevMean: index / 512,
    tevQuantiles: Array.from({ length: 9 }, (_, at) => at + index),
    layerGradVar: [index, attempt],
    custom: index % 2 ? { train: index / 8, rare: attempt } : { train: index / 8 },
  };
}

const range = (from: number, until: number) => Array.from({ length: until - from }, (_, at) => from + at);
/** The second attempt resumes at a step that the first has left behind. */
const ATTEMPTS = [range(0, 140).map((index) => aStep(index, 1)), range(110, 200).map((index) => aStep(index, 2))];

/** Every field of every step alone, when its step ended; some custom scalars were measured after the next step. */
function partsOf(steps: readonly StepEvent[]): { at: number; part: StepEvent }[] {
  return steps.flatMap(({ step, time, custom, ...fields }, index) => {
    const named = Object.entries(custom ?? {}).map(([name, value]) => ({ custom: { [name]: value } }));
    const parts = [{}, ...Object.entries(fields).map(([name, value]) => ({ [name]: value })), ...named];
    const measured = (part: Partial<StepEvent>) => (part.custom && index % 4 === 0 ? time + 150 : time);
    return parts.map((part) => ({ at: index * STEP_MS, part: { step, time: measured(part), ...part } }));
  });
}

const PARTS = ATTEMPTS.map(partsOf);

/** How one part of a step is sent. */
const sending = fc.record({
  late: fc.integer({ min: 0, max: LATE_MS }),
  sender: fc.constantFrom(0, 1),
  /** Whether it is sent again, by either sender. */
  again: fc.option(fc.record({ late: fc.integer({ min: 0, max: LATE_MS }), sender: fc.constantFrom(0, 1) }), {
    freq: 4,
  }),
});
const scenario = fc.record({
  sendings: fc.tuple(
    ...PARTS.map((parts) => fc.array(sending, { minLength: parts.length, maxLength: parts.length, size: 'max' })),
  ),
  /** What comes within each of these is sent at once, in one message of each sender. */
  slices: fc.array(fc.integer({ min: 5, max: SLICE_MS }), { minLength: 3, maxLength: 8 }),
  isReversed: fc.boolean(),
  /**
   * In which slice the server is restarted; before any alert, since one that a server raises as it closes, on steps that
   * are not whole, keeps the evidence that it had.
   */
  restart: fc.option(fc.integer({ min: 0, max: 8 })),
  /** Whether the first attempt is sent again when the second is under way. */
  hasEcho: fc.boolean(),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer Value> ? Value : never;

interface Part {
  at: number;
  sender: number;
  part: StepEvent;
}

function scattered({ sendings }: Scenario, attempt: number): Part[] {
  const parts = PARTS[attempt - 1] ?? [];
  return parts.flatMap(({ at, part }, index) => {
    const how = sendings[attempt - 1]?.[index];
    if (!how) throw new Error('a part that is not sent');
    const sent = (late: number, sender: number) => ({ at: at + late, sender, part });
    const again = how.again ? [sent(how.again.late, how.again.sender)] : [];
    return [sent(how.late, how.sender), ...again];
  });
}

/** By when they are sent: what came since the slice before. */
function inSlices(parts: readonly Part[], slices: readonly number[]): { at: number; parts: Part[] }[] {
  const waiting = [...parts].sort((one, other) => one.at - other.at);
  const sliced = [];
  for (let [turn, at] = [0, 0]; waiting.length > 0; turn++) {
    at += slices[turn % slices.length] ?? SLICE_MS;
    const end = waiting.findIndex((part) => part.at > at);
    const taken = waiting.splice(0, end < 0 ? waiting.length : end);
    if (taken.length > 0) sliced.push({ at, parts: taken });
  }
  return sliced;
}

describeDatabases('any order', (db) => {
  let clock = START;
  const problems: string[] = [];
  afterAll(() => expect(problems).toEqual([]));

  function openIngest(): Ingest {
    const log = (level: string, message: string, error?: unknown) => {
      if (level === 'error') problems.push(`${message}: ${error}`);
    };
    return new Ingest({ db: db(), now: () => new Date(clock), log, events: new LocalEventPort(log) });
  }

  async function twoSenders(ingest: Ingest, run: string, attempt: number): Promise<IngestContext[]> {
    const contexts = [0, 1].map(() => ingest.open({ principal: ANONYMOUS }));
    for (const context of contexts) await context.start(parse(startRequest, startOf(run, attempt)));
    return contexts;
  }

  /** Each part once and in order, by one sender. */
  async function sendInOrder(): Promise<string> {
    const run = randomUUID();
    const ingest = openIngest();
    const context = ingest.open({ principal: ANONYMOUS });
    for (const [at, parts] of PARTS.entries()) {
      await context.start(parse(startRequest, startOf(run, at + 1)));
      await context.steps({ run, attempt: at + 1, steps: parts.map(({ part }) => part) });
    }
    await context.finish(parse(runFinish, { run, attempt: PARTS.length, status: 'finished' }));
    await ingest.settled();
    await ingest.close();
    return run;
  }

  async function sendScattered(how: Scenario): Promise<string> {
    const run = randomUUID();
    let ingest = openIngest();
    let contexts: IngestContext[] = [];
    for (const attempt of [1, 2]) {
      const begun = clock;
      contexts = await twoSenders(ingest, run, attempt);
      for (const [turn, { at, parts }] of inSlices(scattered(how, attempt), how.slices).entries()) {
        if (turn === how.restart && at < CALM_MS) {
          await ingest.close();
          ingest = openIngest();
          contexts = await twoSenders(ingest, run, attempt);
        }
        if (turn % 3 === 0) await rollUp(db(), run); // so that parts come late for rollups too
        clock = begun + at;
        await Promise.all(
          contexts.map(async (context, sender) => {
            const steps = parts.filter((part) => part.sender === sender).map(({ part }) => part);
            if (how.isReversed) steps.reverse();
            if (steps.length > 0) expect(await context.steps({ run, attempt, steps })).toEqual({ ok: true });
          }),
        );
      }
      if (attempt === 2 && how.hasEcho) await contexts[0]?.steps({ run, attempt: 1, steps: ATTEMPTS[0] });
      clock += 10_000;
    }
    await contexts[0]?.finish(parse(runFinish, { run, attempt: 2, status: 'finished' }));
    await ingest.settled();
    await ingest.close();
    return run;
  }

  async function chartsOf(run: string) {
    const series = ['loss', 'tevMean', 'gradVar', 'gradNorm', 'custom:train', 'custom:rare'] as const;
    const queries = [
      { columns: 9 },
      { columns: 40 },
      { columns: 1_000 },
      { columns: 9, attempt: 1 },
      { columns: 30, from: 0, to: 1_000 },
    ];
    return Promise.all(
      queries.map(async (query) => ({
        chart: await readChart(db(), { run, series, ...query }),
        arrays: await Promise.all(STEP_ARRAYS.map((array) => readArrayChart(db(), { run, array, ...query }))),
      })),
    );
  }

  /** What the database says of a run, by whichever way it came there. */
  async function stateOf(run: string) {
    const { status, lastStep, loss, tevMean, dropped, attempts } = (await getRun(db(), run)) ?? expect.fail();
    const live = await chartsOf(run);
    await forgetRollups(db(), run);
    const raw = await chartsOf(run);
    await rollUp(db(), run);
    return {
      run: { status, lastStep, loss, tevMean, dropped },
      customNames: await findCustomNames(db(), { run, limit: 100 }),
      attempts: attempts.map(({ startedAt: _, endedAt: _end, ...attempt }) => attempt),
      steps: await recentSteps(db(), { run, limit: 1_000 }),
      charts: { live, raw, rolledUp: await chartsOf(run) },
      alerts: (await listAlerts(db(), { run, limit: 100 }))
        .map(({ id: _id, run: _run, openedAt: _at, resolvedAt: _until, ...alert }) => alert)
        .toSorted((one, other) => one.step - other.step),
    };
  }

  test('any split, repetition, reordering and interleaving of two senders gives the same run, charts and alerts', async () => {
    const expected = await stateOf(await sendInOrder());
    expect(expected.steps).toHaveLength(200);
    // index 198 of the run, 88 of the second attempt, is the last to have been measured
    expect(expected.run).toMatchObject({ lastStep: numberOf(198), loss: aStep(199, 2).loss });
    expect(expected.alerts.map(({ rule, attempt, step }) => [rule, attempt, step])).toEqual([
      ['loss-spike', 1, numberOf(100)],
      ['grad-variance', 1, expect.any(Number)],
      ['non-finite', 2, numberOf(150)],
    ]);
    await fc.assert(
      fc.asyncProperty(scenario, async (how) => {
        expect(await stateOf(await sendScattered(how))).toEqual(expected);
      }),
      { numRuns: 4, endOnFailure: true }, // a failure is printed with its seed; to shrink it would take minutes
    );
  });
});
