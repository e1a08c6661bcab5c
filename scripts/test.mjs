// `npm test`: installs and builds if needed, then runs every test this machine can run and says what it skipped.
import { spawnSync } from 'node:child_process';
import './prepare.mjs';

const { status } = spawnSync('npx', ['--no-install', 'vitest', 'run', ...process.argv.slice(2)], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
process.exit(status ?? 1);
