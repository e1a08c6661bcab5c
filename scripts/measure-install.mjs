// Measures what it takes to have Evenkeel, as a clone of HEAD and as the npm package, each in a new folder:
//   npm run build && node scripts/measure-install.mjs
// It prints a Markdown table for docs/install.md. npm takes from its cache what is there already.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './pack/files.mjs';

const QUIET = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
const folder = mkdtempSync(join(tmpdir(), 'evenkeel-measure-'));
const load = loadavg()[0].toFixed(1);
try {
  const [clone, installed] = [await measureClone(join(folder, 'clone')), await measurePackage(join(folder, 'package'))];
  console.log(
    `| Node.js ${process.versions.node}, ${availableParallelism()} cores, load ${load} at the start | clone | package |`,
  );
  console.log('| --- | ---: | ---: |');
  for (const what of Object.keys(clone)) console.log(`| ${what} | ${clone[what]} | ${installed[what]} |`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureClone(clone) {
  mkdirSync(clone);
  const source = execFileSync('git', ['archive', 'HEAD'], { cwd: ROOT, maxBuffer: Number.POSITIVE_INFINITY });
  execFileSync('tar', ['-x'], { cwd: clone, input: source });
  const install = timed(() => npm(clone, 'ci', ...QUIET));
  const modules = sizeOf(join(clone, 'node_modules'));
  const build = timed(() => npm(clone, 'run', 'build'));
  return row({ ...modules, install, build, page: await timePage(clone, 'apps/cli/bin/evenkeel.mjs') });
}

async function measurePackage(user) {
  const tarballs = join(folder, 'tarballs');
  execFileSync(process.execPath, [join(ROOT, 'scripts/pack.mjs'), tarballs], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [tarball] = readdirSync(tarballs).filter((name) => !name.includes('emit'));
  mkdirSync(user);
  writeFileSync(join(user, 'package.json'), '{ "private": true }');
  const install = timed(() => npm(user, 'install', ...QUIET, join(tarballs, tarball)));
  const modules = sizeOf(join(user, 'node_modules'));
  return row({ ...modules, install, build: 0, page: await timePage(user, 'node_modules/evenkeel/bin/evenkeel.mjs') });
}

function row({ bytes, files, install, build, page }) {
  return {
    'node_modules, MB': Math.round(bytes / 1e6),
    'node_modules, files': files,
    'install, s': install.toFixed(1),
    'build, s': build === 0 ? '–' : build.toFixed(1),
    '`serve` until the first page, with a new database, s': page.toFixed(1),
  };
}

function npm(cwd, ...args) {
  execFileSync('npm', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** In seconds. */
function timed(action) {
  const began = performance.now();
  action();
  return (performance.now() - began) / 1_000;
}

/** Seconds from the start of the command until the board is answered. */
async function timePage(cwd, program) {
  const began = performance.now();
  const server = spawn(process.execPath, [program, 'serve', '--json', '--port', '0'], {
    cwd,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(server, 'exit');
  try {
    const [line] = await once(createInterface({ input: server.stdout }), 'line');
    await (await fetch(JSON.parse(line).url)).text();
    return (performance.now() - began) / 1_000;
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}

function sizeOf(path) {
  const about = lstatSync(path);
  if (!about.isDirectory()) return { bytes: about.size, files: 1 };
  const inside = readdirSync(path).map((name) => sizeOf(join(path, name)));
  return {
    bytes: inside.reduce((sum, { bytes }) => sum + bytes, 0),
    files: inside.reduce((sum, { files }) => sum + files, 0),
  };
}
