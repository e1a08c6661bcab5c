import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stageCli } from './cli.mjs';
import { copy, ROOT, readJson } from './files.mjs';
import { packageOf, stageLicenses } from './licenses.mjs';
import { nodeFileTrace } from './trace.mjs';

const SOURCE = join(ROOT, 'packages/python/server');

/** Of the optional peers, what `demo` trains with. */
const TRAINING = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'];
/** What TensorFlow.js finds by a path of its own making, and the text that `demo` trains on. */
const READ_BY_PATH = [
  ...['', '-simd', '-threaded-simd'].map((kind) => `@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm${kind}.wasm`),
  '@tensorflow/tfjs-layers/dist/tf-layers.fesm.js',
].map((path) => join('node_modules', path));

/**
 * The Python distribution `evenkeel-server`: its source, and in it, as `program`, the npm package `evenkeel` as if it were
 * installed with its dependencies and those of `demo`.
 */
export async function stageServer(folder) {
  for (const path of ['pyproject.toml', 'README.md', 'src']) copy(path, { from: SOURCE, to: folder });
  const program = join(folder, 'src/evenkeel_server/program');
  await stageCli(program);
  await stageDependencies(program);
}

/** Of each package the files that are loaded: 26 MB of the 330 that npm would install. */
async function stageDependencies(program) {
  const { dependencies } = readJson(join(program, 'package.json'));
  const entries = [...Object.keys(dependencies), ...TRAINING].map((name) => fileURLToPath(import.meta.resolve(name)));
  const { fileList } = await nodeFileTrace(entries, { base: ROOT });
  const files = new Set([...fileList, ...READ_BY_PATH]);
  for (const path of files)
    copy(relative('node_modules', path), { from: join(ROOT, 'node_modules'), to: join(program, 'node_modules') });
  stageLicenses(join(program, 'node_modules/THIRD-PARTY.txt'), new Set([...files].map(packageOf)));
}
