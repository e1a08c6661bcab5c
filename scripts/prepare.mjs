// Installs and builds whatever has changed since the last time, or ends the process with the reason printed.
// Plain Node, since it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MINIMUM_NODE = [20, 19];
const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}node_modules/.evenkeel-installed`;

checkNode();
process.chdir(root);
if (!isInstalled()) install();
step('Building (only what changed)', 'npx', ['--no-install', 'turbo', 'run', 'build', '--output-logs=errors-only']);

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  console.error(
    `Evenkeel needs Node.js ${MINIMUM_NODE.join('.')} or newer; this is ${process.versions.node}. See https://nodejs.org`,
  );
  process.exit(1);
}

function isInstalled() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash();
}

function install() {
  step('Installing packages (once, about half a minute)', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, lockHash());
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
}

function step(title, command, args) {
  console.log(`▸ ${title}`);
  const began = Date.now();
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', NEXT_TELEMETRY_DISABLED: '1' };
  const { status } = spawnSync(command, args, { stdio: 'inherit', env, shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
  console.log(`  done in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
