import { randomUUID } from 'node:crypto';
import { getRun, insertSteps, listAlerts, readChart, startRun } from '@evenkeel/db';
import { describeDatabases } from '@evenkeel/db/testing';
import { parse, runStart, type StepEvent } from '@evenkeel/protocol';
import { afterAll, expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Judge } from './judge.ts';
import { startOf, stepsFrom } from './testing.ts';

const START = Date.UTC(2026, 0, 1);

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

describeDatabases('parts of steps', (db) => {
  const problems: string[] = [];
  afterAll(() => expect(problems).toEqual([]));

  async function judgedRun(): Promise<Judged> {
    const run = randomUUID();
    await startRun(db(), parse(runStart, startOf(run)), new Date(START));
    let clock = START;
    const now = () => new Date(clock);
    const log = (_level: string, message: string, error?: unknown) => problems.push(`${message}: ${error}`);
    const open = () => new Judge({ db: db(), now, log, events: new LocalEventPort(log) });
    let judge = open();
    return {
      run,
      send: async (steps, at = clock - START) => {
        clock = START + at;
        judge.judgeDue();
        expect(await insertSteps(db(), [{ run, attempt: 1, steps }], now())).toEqual([[]]);
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
        const alerts = await listAlerts(db(), { run, limit: 100 });
        return alerts.map(({ id: _id, run: _run, openedAt: _at, resolvedAt: _until, ...alert }) => alert).reverse();
      },
    };
  }

  const placesOf = async (judged: Judged) => {
    const alerts = await listAlerts(db(), { run: judged.run, limit: 100 });
    return alerts.map(({ rule, step, status }) => `${rule} ${step} ${status}`).sort();
  };

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
    await insertSteps(db(), [{ run: judged.run, attempt: 1, steps: [late] }], new Date(START));
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
    const run = await getRun(db(), judged.run);
    expect(run).toMatchObject({ lastStep: 102, attempts: [{ firstStep: 0, lastStep: 102, outliers: [10_000_000] }] });
    const chart = await readChart(db(), { run: judged.run, columns: 1_000 });
    expect([chart.firstStep, chart.lastStep, chart.columnSteps]).toEqual([0, 102, 1]);
  });

  test('a real jump of step numbers is judged from its first step on', async () => {
    const judged = await judgedRun();
    const far = stepsFrom(10_000_000, 12, (step) => (step === 10_000_001 ? Number.NaN : 2));
    await judged.send(stepsFrom(0, 50));
    for (const [at, step] of far.entries()) await judged.send([step], 3_000 + 3_000 * at);
    await judged.end();
    expect(await placesOf(judged)).toEqual(['non-finite 10000001 open']);
    expect(await getRun(db(), judged.run)).toMatchObject({ attempts: [{ lastStep: 10_000_011, outliers: [] }] });
  });
});
