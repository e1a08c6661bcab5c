// `npm run pack [FOLDER]`: writes the two packages that users install, `evenkeel` and `@evenkeel/emit`, as tarballs into
// a folder (default: dist). It packs what `npm run build` has built.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { stageCli } from './pack/cli.mjs';
import { destinationFolder, withStaged } from './pack/destination.mjs';
import { stageEmit } from './pack/emit.mjs';

const destination = destinationFolder();
for (const stage of [stageCli, stageEmit]) await withStaged(stage, pack);

function pack(folder) {
  const flags = ['--json', '--loglevel=error', '--pack-destination', destination];
  const [packed] = Object.values(JSON.parse(execFileSync('npm', ['pack', ...flags], { cwd: folder })));
  const { filename, size, unpackedSize } = packed;
  console.log(`${join(destination, filename)}: ${kilobytes(size)} kB, unpacked ${kilobytes(unpackedSize)} kB`);
}

function kilobytes(bytes) {
  return Math.ceil(bytes / 1_000);
}
