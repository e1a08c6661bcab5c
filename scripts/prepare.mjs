// Installs and builds whatever has changed since the last time, or ends the process with the reason printed.
// Plain Node, since it runs before anything is installed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MINIMUM_NODE = [20, 19];
const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}node_modules/.evenkeel-installed`;

checkNode();
process.chdir(root);
if (!isInstalled()) await install();
await step('Building what has changed', 'npx', ['--no-install', 'turbo', 'run', 'build', '--output-logs=errors-only']);

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

async function install() {
  const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
  await step('Installing packages (once, about half a minute)', 'npm', ['ci', ...flags]);
  writeFileSync(stamp, lockHash());
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
}

/** Runs a command with a dot every two seconds; what it printed is shown only if it fails. */
async function step(title, command, args) {
  process.stdout.write(`▸ ${title} `);
  const began = Date.now();
  const dots = setInterval(() => process.stdout.write('.'), 2_000);
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', NEXT_TELEMETRY_DISABLED: '1' };
  const child = spawn(command, args, { env, shell: process.platform === 'win32' });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
  const status = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(dots);
  console.log(` ${((Date.now() - began) / 1000).toFixed(1)} s`);
  if (status === 0) return;
  process.stderr.write(Buffer.concat(output));
  process.exit(status ?? 1);
}
