import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of this build; seen from `apps/cli/dist`. */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A source tree that is installed and built. */
export interface Build {
  name: string;
  tree: string;
}

export const THIS_BUILD: Build = { name: 'now', tree: ROOT };

/** The build of a commit, made in a folder; or, where `ref` is a folder, the one that is in it already. */
export async function buildOf(ref: string, folder: string): Promise<Build> {
  if (existsSync(join(ref, 'apps/cli/bin/evenkeel.mjs'))) return { name: 'before', tree: ref };
  const tree = join(folder, 'source');
  await mkdir(tree);
  console.error(`building ${ref} …`);
  const source = execFileSync('git', ['archive', ref], { cwd: ROOT, maxBuffer: Number.POSITIVE_INFINITY });
  execFileSync('tar', ['-x'], { cwd: tree, input: source });
  const run = (...args: string[]) => execFileSync('npm', args, { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'] });
  run('ci', '--prefer-offline', '--no-audit', '--no-fund');
  run('run', 'build');
  return { name: ref, tree };
}
