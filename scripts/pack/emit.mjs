import { join } from 'node:path';
import { copy, publicManifest, ROOT, readJson, writeJson } from './files.mjs';

const SOURCE = join(ROOT, 'packages/emit');

/** `@evenkeel/emit` as it is built, with a manifest that names neither its source nor what only its tests need. */
export function stageEmit(folder) {
  for (const path of ['dist', 'README.md']) copy(path, { from: SOURCE, to: folder });
  const manifest = readJson(join(SOURCE, 'package.json'));
  const { source: _, ...entry } = manifest.exports['.'];
  const { dependencies, files } = manifest;
  const exports = { ...manifest.exports, '.': entry };
  writeJson(join(folder, 'package.json'), { ...publicManifest(manifest), exports, files, dependencies });
}
