import { existsSync } from 'node:fs';
import { startServer } from '@evenkeel/dashboard/server';
import { openDatabase, readChart } from '@evenkeel/db';
import { scalarNames, storeLongRun } from '@evenkeel/db/sample/long-run';
import { action, count, flag, whole } from '@evenkeel/terminal';
import { Command } from 'commander';
import type { BrowserType } from 'playwright-core';
import { z } from 'zod';
import { storedIn } from '../bench/database.ts';
import { inNewFolder } from '../bench/folder.ts';
import { slowestCharts } from '../bench-dashboard/chart-reads.ts';
import { storeRuns } from '../bench-dashboard/fill.ts';
import {
  boardTime,
  clickToChartTime,
  firstChartTime,
  liveChartTime,
  memoryDrawTime,
  pageBytes,
  smoothness,
  zoomTime,
} from '../bench-dashboard/measure.ts';
import { Failure } from '../failure.ts';
import { openServerLog } from '../server-log.ts';
import { printTable } from '../table.ts';

const BROWSERS = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const flags = z.object({
  steps: flag(count.default(1_000_000), { value: '<n>', help: 'steps of the long run' }),
  scalars: flag(whole.default(0), { value: '<n>', help: 'custom scalars of each of its steps' }),
  runs: flag(count.default(10_000), { value: '<n>', help: 'runs on the board' }),
  seconds: flag(count.default(10), { value: '<n>', help: 'seconds that 20 runs stream while one is watched' }),
  chromium: flag(z.string().optional(), {
    value: '<path>',
    help: 'path of the browser (default: Chromium or Chrome in the usual places)',
  }),
});
type Flags = z.output<typeof flags>;

export function benchDashboardCommand(): Command {
  const command = new Command('dashboard').description(
    'time the dashboard in Chromium on a new database with a long run and many runs',
  );
  return action(command, flags, (given) => inNewFolder((folder) => bench(folder, given)));
}

async function bench(dataDir: string, { steps, scalars, runs, seconds, chromium: path }: Flags): Promise<void> {
  const executablePath = path ?? BROWSERS.find((known) => existsSync(known));
  if (!executablePath) throw new Failure('no Chromium was found: set its path with --chromium');
  const chromium = await loadChromium(); // before minutes go into what it is to look at
  console.log(`storing a run of ${steps} steps with ${scalars} custom scalars, then ${runs} runs …`);
  const run = await storeLongRun(dataDir, steps, scalars);
  const { rawBytes, totalBytes } = await storedIn(dataDir);
  const points = await fill(dataDir, run, runs);
  const log = openServerLog();
  await using server = await startServer(
    { host: '127.0.0.1', port: 0, dataDir, databaseUrl: null, accessToken: null, allowedHosts: [] },
    (level, message, error) => level === 'error' && log.write(level, message, error),
  );
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = `${server.url}/runs/${run}`;
    await liveChartTime(browser, page); // the server's and the browser's first time count for neither
    console.log('opening pages …');
    const limit = await memoryDrawTime(browser, points);
    const rows: [string, string, string][] = [
      ['', 'measured', 'relative to drawing the same points from memory'],
      ['charts, from a click on the board', ...times(await clickToChartTime(browser, server.url, 'long run'), limit)],
      ['charts seen, in a new tab', ...times(await firstChartTime(browser, page), limit)],
      ['charts that answer, in a new tab', ...times(await liveChartTime(browser, page), limit)],
      ['zoom', ...times(await zoomTime(browser, page), limit)],
      ['board', ...times(await boardTime(browser, server.url), limit)],
      ['points from memory', ...times(limit, limit)],
      ['bytes of the run page', kilobytes(await pageBytes(browser, page)), ''],
      ['bytes of the board', kilobytes(await pageBytes(browser, server.url)), ''],
    ];
    if (scalars > 0) {
      const [whole, zoomed] = await slowestCharts(server.url, { run, steps, names: scalarNames(scalars) });
      rows.push(
        ['one custom scalar on the server, slowest of 20', ...times(whole, limit)],
        ['the same zoomed, slowest of 20', ...times(zoomed, limit)],
        ['bytes of a scalar on disk', (rawBytes / (steps * scalars)).toFixed(1), ''],
        ['with its rollups', (totalBytes / (steps * scalars)).toFixed(1), ''],
      );
    }
    console.log('streaming …');
    const live = await smoothness(browser, server.url, { runs: 20, stepsPerSecond: 50, seconds });
    rows.push(
      ['frames per second, 20 runs at 50 steps/s', live.frames.toFixed(1), ''],
      ['longest task', live.longestTask === 0 ? 'below 50 ms' : `${Math.round(live.longestTask)} ms`, ''],
      ['live data per second', kilobytes(live.liveBytes), ''],
      ['heap growth per second', kilobytes(live.heapGrowth), ''],
    );
    printTable(rows);
  } finally {
    await browser.close();
  }
}

/** Only this command drives a browser, so what does that is not installed with the others. */
async function loadChromium(): Promise<BrowserType> {
  try {
    return (await import('playwright-core')).chromium;
  } catch {
    throw new Failure(
      'bench dashboard drives Chromium with playwright-core: install it with "npm install playwright-core"',
    );
  }
}

/** Stores the other runs; returns what the charts of the long one draw. */
async function fill(dataDir: string, run: string, runs: number): Promise<(number | null)[][]> {
  await using db = await openDatabase({ dataDir });
  await storeRuns(db, runs);
  const { series } = await readChart(db, { run, columns: 600 });
  return Object.values(series).flatMap((read) => (read ? [read.mean, read.min ?? [], read.max ?? []] : []));
}

function times(milliseconds: number, limit: number): [string, string] {
  return [`${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`, `x${(milliseconds / limit).toFixed(1)}`];
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}
