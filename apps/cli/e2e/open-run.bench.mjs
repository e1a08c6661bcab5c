// How long a run page takes to show its charts: `node apps/cli/e2e/open-run.bench.mjs [STEPS]` after a build.
// Stores a run of so many steps (default 100,000) in a new embedded database, opens its page, and prints the time from
// navigation to drawn charts beside that of a run of ten steps: the difference is what the steps cost.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startRun } from '@evenkeel/emit';
import { chromium } from 'playwright-core';

const STEPS = Number(process.argv[2] ?? 100_000);
const ROUNDS = 5;
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

try {
  const [short, long] = [await store(10), await store(STEPS)];
  for (const [steps, run] of [
    [10, short],
    [STEPS, long],
  ]) {
    const times = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await open(run));
    times.sort((a, b) => a - b);
    console.log(`${steps} steps: charts drawn after ${times.map(Math.round).join(', ')} ms`);
  }
} finally {
  await browser.close();
  server.kill('SIGTERM');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}

async function store(steps) {
  const layers = ['embedding', 'block 1', 'block 2', 'head'];
  const run = await startRun({ server: url, project: 'bench', name: `${steps} steps`, layers });
  for (let step = 0; step < steps; step++) {
    const wave = Math.sin(step / 700);
    const layerGradVar = layers.map((_, layer) => 1 + layer + wave);
    run.log({
      step,
      loss: 4 - wave,
      tevMean: 0.1 + step / 1e6,
      tevStd: 0.01,
      gradVar: 2 + wave,
      gradNorm: 1,
      lr: 3e-4,
      layerGradVar,
    });
    if (step % 4096 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { delivered } = await run.finish('finished', undefined, { timeoutMs: 120_000 });
  if (!delivered) throw new Error('the steps were not stored');
  return run.id;
}

/** Milliseconds from navigation until every chart has ink. */
async function open(run) {
  const page = await browser.newPage();
  const began = performance.now();
  await page.goto(`${url}/runs/${run}`, { waitUntil: 'commit' });
  await page.waitForFunction(
    () => {
      const hasInk = (canvas) =>
        canvas.width > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
      const canvases = [...document.querySelectorAll('canvas')];
      return canvases.length >= 6 && canvases.every(hasInk);
    },
    undefined,
    { polling: 'raf' },
  );
  const took = performance.now() - began;
  await page.close();
  return took;
}
