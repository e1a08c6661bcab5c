// Installs and builds whatever has changed since the last time, or ends the process with the reason printed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildStamp, hashSources } from './build-stamp.mjs';
import './install.mjs';
import { root, step } from './step.mjs';

const stamp = join(root, 'node_modules/.evenkeel-built');

const sources = hashSources(root);

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== buildStamp(root, sources)) {
  const turbo = ['--no-install', 'turbo', 'run', 'build', '--output-logs=errors-only'];
  await step('Building what has changed', 'npx', turbo);
  writeFileSync(stamp, buildStamp(root, sources));
}
process.chdir(root);
