import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What a build reads, from the root. */
const SOURCES = ['apps', 'packages', 'scripts', 'package.json', 'package-lock.json', 'turbo.json'];
/** What a build writes. */
const OUTPUTS = ['dist', '.next'];
/** What neither a build reads nor anything that it has written needs; Next.js writes the file as it starts. */
const IGNORED = new Set([...OUTPUTS, 'node_modules', '.turbo', '.dev', '.evenkeel', 'next-env.d.ts', 'python']);
/** Within `.next`: what `next dev` and the builds themselves keep between runs. */
const NOT_OUTPUT = new Set(['cache', 'dev']);

/** Of the contents of all sources, and of what else decides what a build makes of them. */
export function hashSources(root) {
  const hash = createHash('sha256').update(`${process.version} ${process.env.NODE_ENV}\n`);
  for (const path of SOURCES.flatMap((source) => filesIn(root, source, IGNORED)))
    hash.update(`${path}\n`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

/**
 * A text that stays the same as long as a build would change nothing: the sources, and which outputs there are, with size
 * and time, so that what another build has written is noticed too.
 * @param sources their hash from before the build: what is edited while it runs is not in it.
 */
export function buildStamp(root, sources) {
  const hash = createHash('sha256').update(sources);
  for (const folder of packagesIn(root).flatMap((name) => OUTPUTS.map((output) => join(name, output))))
    for (const path of filesIn(root, folder, NOT_OUTPUT)) {
      const { size, mtimeMs } = statSync(join(root, path));
      hash.update(`${path} ${size} ${mtimeMs}\n`);
    }
  return hash.digest('hex');
}

function packagesIn(root) {
  return ['apps', 'packages'].flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)));
}

/** Paths from the root, sorted; the path itself where it is a file, nothing where there is none. */
function filesIn(root, path, ignored) {
  if (!existsSync(join(root, path))) return [];
  if (!statSync(join(root, path)).isDirectory()) return [path];
  const names = readdirSync(join(root, path)).filter((name) => !ignored.has(name));
  return names.sort().flatMap((name) => filesIn(root, join(path, name), ignored));
}
