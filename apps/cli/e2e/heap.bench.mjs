// Whether a page can stay open for weeks: `node apps/cli/e2e/heap.bench.mjs wall|run [MINUTES] [RUNS] [STEPS A SECOND]`
// after a build. Streams so many runs (default 20, each at 50 steps a second) to a new server, opens the wall or the page
// of one of them, and prints the page's heap after a collection, its nodes and its listeners every half minute (default
// for 10 minutes). The other runs end and begin all the while, so that what is kept for a run that is gone would be seen.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startRun } from '@evenkeel/emit';
import { chromium } from 'playwright-core';

const [page, ...numbers] = process.argv.slice(2);
const [minutes = 10, runs = 20, pace = 50] = numbers.map(Number);
if (!['wall', 'run'].includes(page)) throw new Error('name the page to watch: wall or run');
const SAMPLE_MS = 30_000;
const LIFE_STEPS = 2_000;
/** Goes on all the time, sound. */
const WATCHED = '01890a5d-ac96-774b-bcce-b302099a8057';
const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-'));
const server = spawn(process.execPath, [PROGRAM, 'serve', '--json', '--port', '0', '--data-dir', folder], {
  stdio: ['ignore', 'pipe', 'inherit'], // a pipe that nobody reads is full in an hour, and holds the server's end
});
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
  const tab = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
  await tab.goto(page === 'wall' ? `${url}/?wall` : `${url}/runs/${WATCHED}`);
  await watch(tab);
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
    const id = at === 0 ? WATCHED : undefined;
    const layers = ['embedding', 'block 1', 'block 2', 'head'];
    const name = `run ${at}, life ${life}`;
    const run = await startRun({ server: url, project: 'bench', id, name, layers, onWarning: () => {} });
    const growth = at % 4 === 1 ? 1e-3 : 0;
    const last = at === 0 ? Number.POSITIVE_INFINITY : LIFE_STEPS * (0.5 + Math.random());
    for (let step = 0; step < last && Date.now() < until; step++) {
      run.log({
        step,
        loss: 4 * Math.exp(-step / 1e4) + Math.random() / 10,
        tevMean: 0.02 * Math.exp(growth * step),
        tevStd: 0.01,
        gradNorm: 1,
        lr: 1e-3,
        tokens: 4096 * step,
        tevQuantiles: Array.from({ length: 9 }, (_, at) => 0.01 * (at + 1)),
        layerGradVar: layers.map(() => Math.random()),
        custom: { tokensPerSecond: 5e4 + Math.random(), ...(step % 100 === 0 && { evalLoss: 4 - step / 1e3 }) },
      });
      steps++;
      await sleep(1_000 / pace);
    }
    await run.finish(life % 2 === 0 ? 'finished' : 'failed');
  }
}

async function watch(tab) {
  const devtools = await tab.context().newCDPSession(tab);
  await devtools.send('Performance.enable');
  for (let before = 0; Date.now() < until; before = steps) {
    await sleep(SAMPLE_MS);
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const { JSHeapUsedSize, Nodes, JSEventListeners } = Object.fromEntries(
      metrics.map(({ name, value }) => [name, value]),
    );
    const rate = Math.round((steps - before) / (SAMPLE_MS / 1_000));
    const heap = (JSHeapUsedSize / 2 ** 20).toFixed(1);
    console.log(`${rate} steps/s: heap ${heap} MiB, ${Nodes} nodes, ${JSEventListeners} listeners`);
  }
}
