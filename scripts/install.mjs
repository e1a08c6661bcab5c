// Installs the packages of the lock file if it has changed since the last time, or ends the process with the reason.
// Plain Node, since it runs before anything is installed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import './check-node.mjs';
import { root, step } from './step.mjs';

const stamp = join(root, 'node_modules/.evenkeel-installed');
const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash) {
  // No package needs its install script: the two copies of esbuild find their programs without.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await step('Installing packages (once, about half a minute)', 'npm', ['ci', ...flags]);
  writeFileSync(stamp, lockHash);
}
