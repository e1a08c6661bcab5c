import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The two packages as a user has them: packed, installed in a folder that holds nothing else, and run from there.

const ROOT = join(import.meta.dirname, '..');
const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
const MEGABYTE = 1_000_000;
/** A test starts half a dozen processes, on a machine that may run other tests. */
const PATIENT = { timeout: 300_000 };

let tarballs: string;
/** A user's folder, with both packages installed. */
let folder: string;

beforeAll(() => {
  tarballs = mkdtempSync(join(tmpdir(), 'evenkeel-tarballs-'));
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-installed-'));
  execFileSync(process.execPath, [join(ROOT, 'scripts/pack.mjs'), tarballs]);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  // Next.js takes the configuration that it finds first, also that of a folder above its own
  writeFileSync(join(folder, 'next.config.js'), `throw new Error('a configuration of the user was loaded');`);
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  execFileSync('npm', [...INSTALL, ...files], { cwd: folder });
}, 600_000);
afterAll(() => {
  for (const path of [tarballs, folder]) rmSync(path, { recursive: true, force: true });
});

/** Of the user, who may develop something else in this terminal. */
const env = { ...process.env, NODE_ENV: 'development', EVENKEEL_DATA_DIR: '', DATABASE_URL: '', EVENKEEL_KEY: '' };

/** Of npx, which installs nothing here. */
const COMMAND = ['--no-install', 'evenkeel'];

function evenkeel(...args: string[]) {
  return spawnSync('npx', [...COMMAND, ...args], { cwd: folder, env, encoding: 'utf8' });
}

/** Starts the server, in the folder that npm links commands into, so that one process is all there is to end. */
async function serve(): Promise<{ url: string } & AsyncDisposable> {
  const program = join(folder, 'node_modules/.bin/evenkeel');
  const server = spawn(program, ['serve', '--json', '--port', '0'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit');
  const line = await Promise.race([once(createInterface({ input: server.stdout }), 'line'), ended]);
  return {
    url: JSON.parse(String(line[0])).url,
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGTERM');
      await ended;
    },
  };
}

function sizeOf(path: string): number {
  const about = lstatSync(path);
  if (!about.isDirectory()) return about.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

test('the packages are small', () => {
  expect(sizeOf(join(folder, 'node_modules'))).toBeLessThan(150 * MEGABYTE);
  const emit = readdirSync(tarballs).find((name) => name.startsWith('evenkeel-emit-'));
  expect(statSync(join(tarballs, String(emit))).size).toBeLessThan(0.1 * MEGABYTE);
});

test('the packages hold no path of the machine that built them, and say whose code they hold', () => {
  const installed = join(folder, 'node_modules/evenkeel');
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).map((name) => join(installed, name));
  const built = readFileSync(join(ROOT, 'apps/dashboard/.next/required-server-files.json'), 'utf8');
  const { appDir, relativeAppDir } = JSON.parse(built);
  const buildRoot = appDir.slice(0, -relativeAppDir.length); // another clone’s, where the build was cached
  const revealing = files.filter((path) => statSync(path).isFile() && readFileSync(path).includes(buildRoot));
  expect(revealing).toEqual([]);
  const licenses = readFileSync(join(installed, 'THIRD-PARTY.txt'), 'utf8');
  for (const name of ['next', 'react', 'drizzle-orm', '@mantine/core']) expect(licenses).toContain(`\n${name} `);
});

test('the command serves, imports, and stores in the user’s folder', PATIENT, async () => {
  await using server = await serve();
  const recording = join(ROOT, 'apps/cli/recordings/01.jsonl.gz');
  const imported = evenkeel('import', '--json', '--server', server.url, recording);
  expect(imported).toMatchObject({ status: 0 });
  const { name, run, steps } = JSON.parse(imported.stdout);
  expect(steps).toBeGreaterThan(0);

  const board = await fetch(server.url);
  const page = await board.text();
  expect(board.status).toBe(200);
  expect(page).toContain(run);
  expect(page).toContain(name);
  const assets = [...new Set(page.match(/\/_next\/static\/[^"\\]+\.(?:js|css)/g))];
  expect(assets).not.toEqual([]);
  for (const path of assets) expect([path, (await fetch(server.url + path)).status]).toEqual([path, 200]);
  const statusOf = async (path: string) => (await fetch(`${server.url}/${path}`)).status;
  for (const path of [`runs/${run}`, 'alerts', 'compare']) expect([path, await statusOf(path)]).toEqual([path, 200]);
  expect(await statusOf('nothing')).toBe(404);
  expect(readdirSync(join(folder, '.evenkeel'))).toContain('postgres');
});

test.each([
  ['train', /npm install @tensorflow\/tfjs@[\d.]+ @tensorflow\/tfjs-backend-wasm@[\d.]+$/m],
  ['demo', /npm install @tensorflow\/tfjs@[\d.]+ @tensorflow\/tfjs-backend-wasm@[\d.]+$/m],
  ['study', /npm install @tensorflow\/tfjs@[\d.]+ .* vega-lite@[\d.]+$/m],
  ['bench', /in a clone/],
])('%s says what it needs', (command, next) => {
  const { status, stderr } = evenkeel(command, ...(command === 'study' ? ['study.yaml'] : []));
  expect(status).toBe(1);
  expect(stderr).toMatch(next);
  expect(stderr).not.toMatch(/^ +at /m);
});

const SCRIPT = `
import { startRun, type Run } from '@evenkeel/emit';

const run: Run = await startRun({ server: SERVER, project: 'packed', name: 'a typed run' });
for (let step = 0; step < 5; step++) run.log({ step, loss: 1 / (step + 1), custom: { accuracy: step } });
// @ts-expect-error a step has a number
export const wrong = () => run.log({ loss: 1 });
const { delivered } = await run.finish();
if (!delivered) throw new Error('not delivered');
`;

test('a script in TypeScript compiles against emit, runs, and its run is on the board', PATIENT, async () => {
  await using server = await serve();
  const scripts = join(folder, 'scripts');
  mkdirSync(scripts);
  writeFileSync(join(scripts, 'train.mts'), SCRIPT.replace('SERVER', JSON.stringify(server.url)));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  // nothing that a user may not have: no types of Node, and the libraries are checked too
  const flags = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', ''];
  const compiled = spawnSync(process.execPath, [tsc, ...flags, join(scripts, 'train.mts')], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(compiled).toMatchObject({ status: 0, stdout: '' });
  execFileSync(process.execPath, [join(scripts, 'train.mjs')], { cwd: folder });
  expect(await (await fetch(server.url)).text()).toContain('a typed run');
});
