// The clients of other tools that tests run: `node scripts/clients.mjs` installs them, each set of requirements in a virtual
// environment of its own in the user's cache.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root } from './step.mjs';

/** The requirements of every client, as paths from the repository's root. */
export const CLIENTS = [
  'packages/doors/mlflow/requirements.txt',
  'packages/doors/wandb/requirements.txt',
  'packages/doors/wandb/requirements-0.21.txt',
];
const INSTALL_LIMIT_MS = 6 * 60_000;

/** What to do where they are absent. */
export const HOW_TO_INSTALL_CLIENTS = 'node scripts/clients.mjs';

function environment(requirements) {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, requirements)))
    .digest('hex')
    .slice(0, 16);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'evenkeel-python', hash);
}

function programOf(venv) {
  return process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python');
}

/** A Python that has the client of these requirements; null where there is none. */
export function findClient(requirements) {
  const venv = environment(requirements);
  return existsSync(join(venv, 'installed')) ? programOf(venv) : null;
}

/** Makes the environments that are not there yet; false where that failed. */
export function installClients() {
  return CLIENTS.every((requirements) => findClient(requirements) !== null || install(requirements));
}

function install(requirements) {
  const venv = environment(requirements);
  rmSync(venv, { recursive: true, force: true }); // what an installation that was broken off has left
  mkdirSync(venv, { recursive: true });
  const end = Date.now() + INSTALL_LIMIT_MS;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r'];
  const isInstalled =
    succeeds('python3', ['-m', 'venv', venv], end) && succeeds(programOf(venv), [...pip, requirements], end);
  if (isInstalled) writeFileSync(join(venv, 'installed'), '');
  return isInstalled;
}

function succeeds(program, args, end) {
  console.log(`▸ ${program} ${args.join(' ')}`);
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', timeout: end - Date.now() });
  if (error) console.log(error.message);
  return status === 0;
}

if (process.argv[1] === import.meta.filename && !installClients()) process.exit(1);
