import { randomUUID } from 'node:crypto';
import { type Database, finishRun, getRun, insertSteps, listAlerts, readSignals, startRun } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { parse, runStart, type StepEvent } from '@evenkeel/protocol';
import { STEP_RULE_NAMES, Trial } from '@evenkeel/stability';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Judge } from './judge.ts';
import { startOf, stepsFrom } from './testing.ts';

let db: Database;
beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());

interface Part {
  steps: StepEvent[];
  /** Whether the attempt is reported as ended once it has sent them. */
  ends?: boolean;
}

/** Sends attempts one after another to a judge that lives all the while. */
async function judged(attempts: readonly Part[]): Promise<string> {
  const run = randomUUID();
  const fail = (_level: string, message: string, error?: unknown) => expect.fail(`${message}: ${error}`);
  const judge = new Judge({ db, now: () => new Date(), log: fail, events: new LocalEventPort(fail) });
  for (const [at, { steps, ends }] of attempts.entries()) {
    const attempt = at + 1;
    await startRun(db, parse(runStart, startOf(run, attempt)), new Date());
    for (let first = 0; first < steps.length; first += 100) {
      const batch = { run, attempt, steps: steps.slice(first, first + 100) };
      await insertSteps(db, [batch], new Date());
      judge.observe(batch);
    }
    await judge.settled(run);
    if (!ends) continue;
    await finishRun(db, { run, attempt, status: 'failed', reason: null }, new Date());
    judge.forget(run);
    await judge.settled(run);
  }
  await judge.close();
  return run;
}

async function tried(run: string): Promise<string[]> {
  const attempts = (await getRun(db, run))?.attempts ?? [];
  const known = attempts.map(({ number, firstStep, status }) => ({
    ...{ number, firstStep: firstStep ?? 0 },
    hasEnded: status !== null,
  }));
  const trial = new Trial(known);
  for await (const rows of readSignals(db, { run, from: null })) {
    for (const { attempt, ...signals } of rows) trial.observe(attempt, signals);
  }
  return trial.alerts.map(words).sort();
}

async function raised(run: string): Promise<string[]> {
  return (await listAlerts(db, { run, rule: STEP_RULE_NAMES, limit: 1_000 })).map(words).sort();
}

function words({ rule, attempt, step, severity }: { rule: string; attempt: number; step: number; severity: string }) {
  return `${rule} ${attempt} ${step} ${severity}`;
}

/** Losses that shake a little, jump at each of some steps, and rise for good from a step on. */
function shaky(first: number, count: number, jumps: readonly number[], rises = Number.POSITIVE_INFINITY): StepEvent[] {
  return stepsFrom(first, count, (step) => {
    const shake = 0.01 * Math.sin(step * 12.9898);
    return 2 + 3 * Math.exp(-step / 50) + shake + (jumps.includes(step) ? 1 : 0) + (step >= rises ? 2 : 0);
  });
}

/** TEV that grows like the root of the step up to step 200, and doubles every 40 from there. */
function growing(first: number, count: number): StepEvent[] {
  return stepsFrom(first, count).map((event) => {
    const doublings = Math.max(0, event.step - 200) / 40;
    return { ...event, tevMean: 0.02 * Math.min(event.step + 1, 200) ** 0.5 * 2 ** doublings };
  });
}

const broken = (first: number, count: number, from: number) =>
  stepsFrom(first, count, (step) => (step >= from ? Number.NaN : 2));

test.each<[what: string, alerts: number, attempts: Part[]]>([
  ['nothing happens', 0, [{ steps: stepsFrom(0, 500) }]],
  ['an alert resolves, and its rule opens another', 2, [{ steps: shaky(0, 1_500, [400, 900]) }]],
  ['an alert becomes worse', 1, [{ steps: shaky(0, 700, [], 400) }]],
  ['TEV runs away', 1, [{ steps: growing(0, 300) }]],
  ['numbers break in a superseded attempt', 1, [{ steps: broken(0, 500, 450) }, { steps: stepsFrom(300, 400) }]],
  [
    'an attempt goes on where the last one ended',
    2,
    [{ steps: broken(0, 500, 450), ends: true }, { steps: broken(500, 200, 600) }],
  ],
  [
    'attempts rewind while they are watched: the last 128 losses are not there, and a jump is passed over',
    1,
    [{ steps: shaky(0, 500, [460]) }, { steps: shaky(300, 400, [340]) }],
  ],
  [
    'attempts rewind after their end: the losses before are there again, and the jump is seen',
    2,
    [{ steps: shaky(0, 500, [460]), ends: true }, { steps: shaky(300, 400, [340]) }],
  ],
  [
    'attempts rewind to before where another began',
    3,
    [
      { steps: shaky(0, 500, [460]), ends: true },
      { steps: shaky(400, 200, [540]), ends: true },
      { steps: shaky(350, 400, [390]), ends: true },
      { steps: shaky(350, 40, []) },
    ],
  ],
])('a trial by the same rules finds what the judge found: %s', async (_what, alerts, attempts) => {
  const run = await judged(attempts);
  expect(await raised(run)).toHaveLength(alerts);
  expect(await tried(run)).toEqual(await raised(run));
});
