// `npm test`: installs and builds if needed, then runs every test this machine can run and says what it skipped.
import { spawnSync } from 'node:child_process';
import './prepare.mjs';
import { checkPython, findPython, HOW_TO_INSTALL } from './python.mjs';

const args = process.argv.slice(2);
const { status } = spawnSync('npx', ['--no-install', 'vitest', 'run', ...args], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
// Continuous integration has a check of its own for Python; whoever names tests means those of vitest.
const isPythonMeant = args.length === 0 && !process.env.CI;
process.exit(isPythonMeant && !testPython() ? 1 : (status ?? 1));

function testPython() {
  const python = findPython();
  if (python) return checkPython(python);
  console.log(`\nSKIPPED: all tests of packages/python, whose packages are absent. To install them: ${HOW_TO_INSTALL}`);
  return true;
}
