import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import {
  type Database,
  findCustomNames,
  getRun,
  listAlerts,
  listCommands,
  openDatabase,
  readArrayChart,
  readChart,
  readForecasts,
  recentSteps,
  runsToRollUp,
} from '@evenkeel/db';
import { describeFormerDatabases } from '@evenkeel/db/testing';
import { STEP_ARRAYS } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Ingest } from './ingest.ts';

/**
 * What the last build before steps merged (its ninth migration) wrote and answered. One run was rewound, is running and
 * has eight steps that no judge has seen; the other has finished. There are NaN and infinities among scalars, arrays and
 * custom scalars, tokens, alerts that are open, acknowledged, resolved and noted, forecasts, and commands in every state.
 */
const FIXTURE = new URL('../fixtures/former-database.json.gz', import.meta.url);
const { rows, answers } = JSON.parse(gunzipSync(readFileSync(FIXTURE)).toString());

/** As the fixture was written: JSON has no NaN, and no dates. */
function asJson(value: unknown): unknown {
  const words = (_: string, part: unknown) =>
    typeof part === 'number' && !Number.isFinite(part) ? String(part) : part;
  return JSON.parse(JSON.stringify(value, words));
}

type Query = { columns: number };
type Answer = {
  run: { customNames: string[]; heardAt: string; risk: number | null };
  charts: { query: Query; forecasts: { step: number }[] }[];
};

const SERIES = ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr', 'custom:evalLoss', 'custom:rare'] as const;

async function chartsOf(db: Database, run: string, query: Query) {
  const arrays = STEP_ARRAYS.map(async (array) => [array, await readArrayChart(db, { run, array, ...query })]);
  return {
    query,
    chart: await readChart(db, { run, series: SERIES, ...query }),
    arrays: Object.fromEntries(await Promise.all(arrays)),
    forecasts: await readForecasts(db, { run, ...query }),
  };
}

/** @param judgedTo the forecasts of later steps are of this version, and so is the last of the run: they may be others. */
async function expectAsBefore(db: Database, judgedTo = Number.POSITIVE_INFINITY): Promise<void> {
  for (const [run, answer] of Object.entries<Answer>(answers)) {
    const limit = 1_000;
    const { customNames, heardAt, ...about } = answer.run;
    const before = { ...answer, run: { ...about, lastSeenAt: heardAt } }; // as it is called since
    const charts = await Promise.all(before.charts.map(({ query }) => chartsOf(db, run, query)));
    const found = await getRun(db, run);
    const now = {
      run: found && { ...found, risk: Number.isFinite(judgedTo) ? before.run.risk : found.risk },
      charts: charts.map((chart) => ({ ...chart, forecasts: chart.forecasts.filter(({ step }) => step <= judgedTo) })),
      alerts: await listAlerts(db, { run, limit }),
      commands: await listCommands(db, { run, limit }),
      steps: await recentSteps(db, { run, limit }),
    };
    expect(asJson(now), run).toMatchObject(before);
    expect(await findCustomNames(db, { run, limit })).toMatchObject({ names: customNames.toSorted() });
  }
}

/** The last step that the former build had a forecast of. */
const JUDGED_TO = Math.max(
  ...Object.values<Answer>(answers).flatMap(({ charts }) =>
    charts.flatMap(({ forecasts }) => forecasts.map(({ step }) => step)),
  ),
);

describeFormerDatabases('a former database', { migrations: 9, rows }, (target) => {
  test('opens with every chart, alert and command as before, also once ingest has run on it', async () => {
    await using db = await openDatabase(target());
    await expectAsBefore(db);
    const problems: string[] = [];
    const log = (level: string, message: string, error?: unknown) => {
      if (level === 'error') problems.push(`${message}: ${error}`);
    };
    const ingest = new Ingest({
      db,
      now: () => new Date('2026-01-01T00:01:00Z'),
      log,
      events: new LocalEventPort(log),
    });
    await expect.poll(() => runsToRollUp(db)).toEqual([]);
    await ingest.settled();
    await ingest.close();
    await expectAsBefore(db, JUDGED_TO);
    expect(problems).toEqual([]);
  });
});
