import { existsSync } from 'node:fs';
import { startServer } from '@evenkeel/dashboard/server';
import { openDatabase, readChart } from '@evenkeel/db';
import { Command } from 'commander';
import { inNewFolder } from '../bench/folder.ts';
import { slowestCharts } from '../bench-dashboard/chart-reads.ts';
import { storeRuns } from '../bench-dashboard/fill.ts';
import { scalarNames, storeLongRun } from '../bench-dashboard/long-run.ts';
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
import { readCount, readWhole } from '../numbers.ts';
import { openServerLog } from '../server-log.ts';
import { printTable } from '../table.ts';

const BROWSERS = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

interface Options {
  steps: number;
  scalars: number;
  runs: number;
  seconds: number;
  chromium?: string;
}

export function benchDashboardCommand(): Command {
  return new Command('dashboard')
    .description('time the dashboard in Chromium on a new database with a long run and many runs')
    .option('--steps <n>', 'steps of the long run', readCount, 1_000_000)
    .option('--scalars <n>', 'custom scalars of each of its steps', readWhole, 0)
    .option('--runs <n>', 'runs on the board', readCount, 10_000)
    .option('--seconds <n>', 'how long 20 runs stream while one is watched', readCount, 10)
    .option('--chromium <path>', 'the browser (default: Chromium or Chrome where they usually are)')
    .action((options: Options) => inNewFolder((folder) => bench(folder, options)));
}

async function bench(dataDir: string, { steps, scalars, runs, seconds, chromium: path }: Options): Promise<void> {
  const executablePath = path ?? BROWSERS.find((known) => existsSync(known));
  if (!executablePath) throw new Failure('no Chromium was found: name one with --chromium');
  console.log(`storing a run of ${steps} steps with ${scalars} custom scalars, then ${runs} runs …`);
  const run = await storeLongRun(dataDir, steps, scalars);
  const points = await fill(dataDir, run, runs);
  const { chromium } = await import('playwright-core'); // takes a while to load
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
      ['', 'measured', 'beside drawing the same points from memory'],
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
        ['one custom scalar at the server, the slowest of 20', ...times(whole, limit)],
        ['the same zoomed, the slowest of 20', ...times(zoomed, limit)],
      );
    }
    console.log('streaming …');
    const live = await smoothness(browser, server.url, { runs: 20, stepsPerSecond: 50, seconds });
    rows.push(
      ['frames a second, 20 runs at 50 steps/s', live.frames.toFixed(1), ''],
      ['longest task', live.longestTask === 0 ? 'below 50 ms' : `${Math.round(live.longestTask)} ms`, ''],
      ['live, a second', kilobytes(live.liveBytes), ''],
      ['heap, a second', kilobytes(live.heapGrowth), ''],
    );
    printTable(rows);
  } finally {
    await browser.close();
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
