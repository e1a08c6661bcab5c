// `npm run dev`: the server with pages straight from their sources, which the browser shows as they are saved. What of
// the sources runs in the server is bundled again when it changes, and the server started again over the same data.
// What follows `--` goes to `evenkeel serve`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import './install.mjs';
import { root } from './step.mjs';

const { context } = await import('esbuild'); // installed by now
const { bundleOptions } = await import('./bundle-options.mjs');

/** Files written by both bundles at about the same time are one change. */
const SETTLE_MS = 50;
const DATABASE = join(root, 'packages/db');
/** What a server reads from the sources as it is, seen from the module that names it. */
const UNBUNDLED = {
  watchFiles: [
    join(DATABASE, 'src/drivers/pglite/worker.mjs'),
    ...readdirSync(join(DATABASE, 'migrations')).map((name) => join(DATABASE, 'migrations', name)),
  ],
  watchDirs: [join(DATABASE, 'migrations')],
};

/** The bundles that are whole. */
const whole = new Set();
let server = null;
let isStopping = false;
let change = null;
let restarting = Promise.resolve();

const plugin = {
  name: 'development',
  setup: ({ initialOptions, onResolve, onLoad, onEnd }) => {
    onResolve({ filter: /^@evenkeel\/dashboard\/server$/ }, () => ({
      path: '../../dashboard/.dev/server.mjs', // from apps/cli/.dev
      external: true,
    }));
    onLoad({ filter: /\/db\/src\/package\.ts$/ }, async ({ path }) => ({
      ...UNBUNDLED,
      contents: await readFile(path, 'utf8'),
      loader: 'ts',
    }));
    onEnd(({ errors }) => {
      const { absWorkingDir } = initialOptions;
      if (errors.length > 0)
        whole.delete(absWorkingDir); // esbuild has removed what it had written
      else whole.add(absWorkingDir);
      clearTimeout(change);
      if (mayStart()) change = setTimeout(scheduleRestart, SETTLE_MS);
      else if (errors.length > 0) console.log('▸ the server is started again once the error above is fixed');
    });
  },
};

const bundles = await Promise.all([bundle('apps/dashboard', 'server.ts'), bundle('apps/cli', 'src/main.ts')]);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
await Promise.all(bundles.map((each) => each.watch()));

/** Beside `dist`, which belongs to the builds. */
function bundle(folder, entryPoint) {
  return context({
    ...bundleOptions,
    absWorkingDir: join(root, folder),
    entryPoints: [entryPoint],
    outdir: '.dev',
    sourcemap: true,
    plugins: [plugin, ...bundleOptions.plugins],
  });
}

function mayStart() {
  return !isStopping && whole.size === bundles.length;
}

function scheduleRestart() {
  restarting = restarting.then(restart);
}

async function restart() {
  if (!mayStart()) return;
  await end();
  if (!mayStart()) return;
  const program = join(root, 'apps/cli/.dev/main.mjs');
  const args = ['--enable-source-maps', program, 'serve', '--dev', ...process.argv.slice(2)];
  const env = { ...process.env, NODE_ENV: 'development', NEXT_TELEMETRY_DISABLED: '1' };
  const started = spawn(process.execPath, args, { stdio: 'inherit', env });
  server = started;
  started.once('exit', (code) => {
    if (server === started && !isStopping)
      console.log(`▸ the server ended with code ${code}; the next change starts it`);
  });
}

/** Lets the server close, so that its database is whole for the next one. */
async function end() {
  const ending = server;
  server = null;
  if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
  ending.kill('SIGTERM');
  await once(ending, 'exit');
}

async function stop() {
  isStopping = true;
  await restarting;
  await end();
  await Promise.all(bundles.map((each) => each.dispose()));
}
