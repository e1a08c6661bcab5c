// Lints, checks and tests packages/python: `node scripts/python.mjs [--install] [pytest arguments]`. The packages that it
// needs are in a virtual environment in the user's cache, one for each set of requirements; --install makes it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root } from './step.mjs';

const folder = join(root, 'packages/python');
/** Installed one after the other: torch alone first, as its requirements are the largest. */
const REQUIREMENTS = ['requirements-torch.txt', 'requirements-test.txt'];
const INSTALL_LIMIT_MS = 6 * 60_000;

function environment() {
  const hash = createHash('sha256');
  for (const name of ['pyproject.toml', ...REQUIREMENTS]) hash.update(readFileSync(join(folder, name)));
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'evenkeel-python', hash.digest('hex').slice(0, 16));
}

function programOf(venv) {
  return process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python');
}

/** A Python that has what is needed; null where there is none. */
export function findPython() {
  const given = process.env.EVENKEEL_TEST_PYTHON;
  if (given) return given;
  const venv = environment();
  return existsSync(join(venv, 'installed')) ? programOf(venv) : null;
}

/** Makes the environment, unless it is there; false where that failed. */
export function installPython() {
  if (findPython()) return true;
  const venv = environment();
  rmSync(venv, { recursive: true, force: true }); // what an installation that was broken off has left
  mkdirSync(venv, { recursive: true });
  const end = Date.now() + INSTALL_LIMIT_MS;
  const isMade = succeeds('python3', ['-m', 'venv', venv], end);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile', '-r'];
  const isInstalled = isMade && REQUIREMENTS.every((name) => succeeds(programOf(venv), [...pip, name], end));
  if (isInstalled) writeFileSync(join(venv, 'installed'), '');
  return isInstalled;
}

function succeeds(program, args, end) {
  console.log(`▸ ${program} ${args.join(' ')}`);
  const { status, error } = spawnSync(program, args, { cwd: folder, stdio: 'inherit', timeout: end - Date.now() });
  if (error) console.log(error.message);
  return status === 0;
}

/** Runs every check; false where one failed. */
export function checkPython(python, pytest = []) {
  const checks = [['ruff', 'check', '.'], ['ruff', 'format', '--check', '.'], ['mypy'], ['pytest', '-q', ...pytest]];
  const run = (args) => spawnSync(python, ['-m', ...args], { cwd: folder, stdio: 'inherit' }).status === 0;
  return checks.filter((args) => !run(args)).length === 0;
}

/** What to do where the packages are absent. */
export const HOW_TO_INSTALL = 'node scripts/python.mjs --install';

if (process.argv[1] === import.meta.filename) {
  const args = process.argv.slice(2);
  if (args[0] === '--install' && !installPython()) process.exit(1);
  const python = findPython();
  if (!python) {
    console.log(`The packages of the Python tests are absent. To install them: ${HOW_TO_INSTALL}`);
    process.exit(1);
  }
  process.exit(checkPython(python, args[0] === '--install' ? args.slice(1) : args) ? 0 : 1);
}
