// Whether the wall can stay open for weeks: `node apps/cli/e2e/wall.bench.mjs [MINUTES] [RUNS] [STEPS A SECOND]` after a
// build. Streams so many runs (default 40, each at 20 steps a second) to a new server, opens the wall, and prints its heap
// after a collection, its nodes and its listeners every half minute (default for 10 minutes). Runs end and begin all the
// while, so that what is kept for a run that is gone would be seen.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startRun } from '@evenkeel/emit';
import { chromium } from 'playwright-core';

const [minutes = 10, runs = 40, pace = 20] = process.argv.slice(2).map(Number);
const SAMPLE_MS = 30_000;
const LIFE_STEPS = 2_000;
const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-'));
const server = spawn(process.execPath, [PROGRAM, 'serve', '--json', '--port', '0', '--data-dir', folder]);
const url = await new Promise((resolve) =>
  server.stdout.on('data', (chunk) => {
    const [, address] = /"url":"([^"]+)"/.exec(String(chunk)) ?? [];
    if (address) resolve(address);
  }),
);
const browser = await chromium.launch({
  executablePath: process.env.EVENKEEL_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const until = Date.now() + minutes * 60_000;
let steps = 0;

try {
  const trainers = Array.from({ length: runs }, (_, at) => train(at));
  const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
  await page.goto(`${url}/?wall`);
  await watch(page);
  await Promise.all(trainers);
} finally {
  await browser.close();
  server.kill('SIGTERM');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}

/** One run after another; every fourth goes astray. */
async function train(at) {
  for (let life = 0; Date.now() < until; life++) {
    const run = await startRun({ server: url, project: 'bench', name: `run ${at}, life ${life}`, onWarning: () => {} });
    const growth = at % 4 === 0 ? 1e-3 : 0;
    const last = LIFE_STEPS * (0.5 + Math.random());
    for (let step = 0; step < last && Date.now() < until; step++) {
      run.log({
        step,
        loss: 4 - step / 1e3,
        tevMean: 0.02 * Math.exp(growth * step),
        tevStd: 0.01,
        gradNorm: 1,
        lr: 1e-3,
      });
      steps++;
      await sleep(1_000 / pace);
    }
    await run.finish(life % 2 === 0 ? 'finished' : 'failed');
  }
}

async function watch(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  for (let before = 0; Date.now() < until; before = steps) {
    await sleep(SAMPLE_MS);
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const { JSHeapUsedSize, Nodes, JSEventListeners } = Object.fromEntries(
      metrics.map(({ name, value }) => [name, value]),
    );
    const rate = Math.round((steps - before) / (SAMPLE_MS / 1_000));
    const tiles = await page.getByRole('article').count();
    const heap = (JSHeapUsedSize / 2 ** 20).toFixed(1);
    console.log(`${rate} steps/s, ${tiles} tiles: heap ${heap} MiB, ${Nodes} nodes, ${JSEventListeners} listeners`);
  }
}
