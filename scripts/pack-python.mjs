// `npm run pack:python [FOLDER]`: writes what Python users install, `evenkeel` (wheel and sdist) and `evenkeel-server`
// (wheel), into a folder (default: dist). It packs what `npm run build` has built, with the Python of scripts/python.mjs.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { destinationFolder, withStaged } from './pack/destination.mjs';
import { ROOT } from './pack/files.mjs';
import { stageServer } from './pack/server.mjs';
import { findPython, HOW_TO_INSTALL } from './python.mjs';

const python = findPython();
if (!python) {
  console.error(`The Python packages that build wheels are absent. To install them: ${HOW_TO_INSTALL}`);
  process.exit(1);
}
const destination = destinationFolder();
build(join(ROOT, 'packages/python'));
await withStaged(stageServer, (folder) => build(folder, '--wheel'));

function build(folder, ...flags) {
  const args = ['-m', 'build', '--no-isolation', '--outdir', destination, ...flags, folder];
  execFileSync(python, args, { stdio: 'inherit' });
}
