import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { copy, publicManifest, ROOT, readJson, writeJson } from './files.mjs';
import { packageOf, stageLicenses } from './licenses.mjs';
import { stageNext } from './next.mjs';

const CLI = join(ROOT, 'apps/cli');

/** What npm installs beside the package: it reads WebAssembly of its own, or comes with a script of its own. */
const DEPENDENCIES = ['@electric-sql/pglite', 'node-sqlite3-wasm', 'open'];
/** What pg and ws use where somebody has installed it. */
const NATIVE = ['pg-native', 'bufferutil', 'utf-8-validate'];
const BANNER = [
  // npm packages that are CommonJS ask for Node's own modules with `require`, which an ES module has not got
  "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  // of Next.js and React only what this selects is in the package
  "process.env.NODE_ENV = 'production';",
].join('\n');

/**
 * The command with all that it needs, in the layout of apps/cli:
 *
 *     bin/ recordings/          as they are
 *     dist/                     the program with its npm packages, bundled
 *     dist/node_modules/        what is found by name when it runs: the built pages with the files of Next.js that serve
 *                               them, and the migrations
 */
export async function stageCli(folder) {
  const manifest = readJson(join(CLI, 'package.json'));
  const peers = optionalPeers();
  for (const path of ['bin', 'recordings', 'README.md']) copy(path, { from: CLI, to: folder });
  const dist = join(folder, 'dist');
  const bundled = await bundle(dist, Object.keys(peers));
  const modules = join(dist, 'node_modules');
  stageDatabase(join(modules, '@evenkeel/db'));
  const copied = await stageNext(modules);
  stageLicenses(join(folder, 'THIRD-PARTY.txt'), new Set([...bundled, ...copied]));
  writeJson(join(folder, 'package.json'), {
    ...publicManifest(manifest),
    bin: manifest.bin,
    files: ['bin', 'dist', 'recordings', 'THIRD-PARTY.txt'],
    dependencies: Object.fromEntries(DEPENDENCIES.map((name) => [name, installedVersion(name)])),
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(Object.keys(peers).map((name) => [name, { optional: true }])),
  });
}

/** Answers the folders of the npm packages that the bundle has parts of. */
async function bundle(outdir, peers) {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(CLI, 'src/main.ts')],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['source', 'packaged', 'module'],
    alias: { '@evenkeel/dashboard/server': join(ROOT, 'apps/dashboard/server.ts') },
    external: [...DEPENDENCIES, ...NATIVE, ...peers, 'next'],
    banner: { js: BANNER },
    metafile: true,
    logLevel: 'warning',
  });
  return Object.keys(metafile.inputs).flatMap((path) => packageOf(path) ?? []);
}

/** Every optional peer of a workspace package, with its version. */
function optionalPeers() {
  const folders = ['apps', 'packages'].flatMap((parent) =>
    readdirSync(join(ROOT, parent)).map((name) => join(parent, name)),
  );
  const paths = folders.map((folder) => join(ROOT, folder, 'package.json')).filter((path) => existsSync(path));
  const manifests = paths.map((path) => readJson(path)); // packages/python has none
  const peers = manifests.flatMap(({ peerDependencies = {} }) => Object.entries(peerDependencies));
  return Object.fromEntries(peers.sort(([a], [b]) => a.localeCompare(b)));
}

function installedVersion(name) {
  return readJson(join(ROOT, 'node_modules', name, 'package.json')).version;
}

function stageDatabase(folder) {
  const source = join(ROOT, 'packages/db');
  const workers = readdirSync(join(source, 'src'), { recursive: true }).filter((path) => path.endsWith('.mjs'));
  for (const path of ['migrations', ...workers.map((path) => join('src', path))])
    copy(path, { from: source, to: folder });
  writeJson(join(folder, 'package.json'), { name: '@evenkeel/db', type: 'module' });
}
