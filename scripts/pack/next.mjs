import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { copy, ROOT, readJson, writeJson } from './files.mjs';
import { packageOf } from './licenses.mjs';
import { nodeFileTrace } from './trace.mjs';

const DASHBOARD = join(ROOT, 'apps/dashboard');
const BUILT = join(DASHBOARD, '.next');

const SERVER = join(ROOT, 'node_modules/next/dist/server');
/** Next.js lists the files of its own start command; the server imports this one. */
const ENTRY = join(SERVER, 'next.js');
/** What it names must exist when Next.js starts, though none of it is loaded. */
const NAMES = join(SERVER, 'config-utils.js');
/** For images that Next.js would scale, which no page has. They are native, and 20 MB. */
const IMAGES = /node_modules\/(sharp|@img|detect-libc|semver)\//;
/** What the entry names beside what serves pages: to develop, to build and to read. */
const NOT_SERVING =
  /\.(map|d\.ts)$|\.dev(elopment)?\.js$|next\/dist\/(docs|esm|server\/dev|build\/swc|compiled\/(webpack\/bundle5|babel))\b|node_modules\/typescript\//;
/** Of the build itself; nothing reads it later. */
const NOT_SERVED = /\.next\/(cache|dev|diagnostics|lock|types|trace|trace-build|turbopack)$|\.(map|nft\.json)$/;
/** These hold the folder that the pages were built in. */
const WITH_PATHS = ['required-server-files.json', 'required-server-files.js'];

/**
 * Writes the built pages, and the files of npm packages that Next.js serves them with, into a `node_modules`: 20 MB of the
 * 300 that installing `next` takes. Answers the folders of the packages that pages and files are of.
 */
export async function stageNext(modules) {
  const dashboard = join(modules, '@evenkeel/dashboard');
  const filter = (path) => !NOT_SERVED.test(path);
  // without its configuration Next.js takes the first that it finds in a folder above, which may be a user's own
  for (const path of ['.next', 'next.config.mjs']) copy(path, { from: DASHBOARD, to: dashboard, filter });
  writeJson(join(dashboard, 'package.json'), { name: '@evenkeel/dashboard', type: 'module' });
  forgetBuildFolder(join(dashboard, '.next'));
  const files = await servingFiles();
  for (const path of files) copy(relative('node_modules', path), { from: join(ROOT, 'node_modules'), to: modules });
  const packages = [...files, ...sourcesOfPages()].flatMap((path) => packageOf(path) ?? []);
  return packages.filter((folder) => existsSync(join(ROOT, folder, 'package.json'))); // a map may name what was built elsewhere
}

/** As paths from the root, all in its `node_modules`. */
async function servingFiles() {
  const { files } = readJson(join(BUILT, 'next-server.js.nft.json'));
  const ignore = (path) => NOT_SERVING.test(path) || IMAGES.test(path);
  const { fileList } = await nodeFileTrace([ENTRY], { base: ROOT, ignore });
  const named = [...readFileSync(NAMES, 'utf8').matchAll(/'(next\/dist\/compiled\/[^']+)'/g)];
  const expected = named.map(([, name]) => relative(ROOT, createRequire(NAMES).resolve(name)));
  const paths = [...files.map((file) => relative(ROOT, join(BUILT, file))), ...fileList, ...expected];
  return new Set(paths.filter((path) => path.startsWith('node_modules/') && !IMAGES.test(path)));
}

function forgetBuildFolder(built) {
  const { appDir, relativeAppDir } = readJson(join(built, WITH_PATHS[0]));
  const root = appDir.slice(0, -relativeAppDir.length - 1);
  for (const name of WITH_PATHS) {
    const text = readFileSync(join(built, name), 'utf8');
    writeFileSync(join(built, name), text.replaceAll(root, '.'));
  }
}

/** Of what the pages bundle, in the browser and on the server, as paths with `node_modules`. */
function sourcesOfPages() {
  const maps = readdirSync(join(BUILT, 'server'), { recursive: true }).filter((path) => path.endsWith('.map'));
  const sources = maps.flatMap((path) => {
    const { sections, sources = [] } = readJson(join(BUILT, 'server', path));
    return sections ? sections.flatMap(({ map }) => map.sources) : sources;
  });
  // such as `turbopack:///[project]/node_modules/%40mantine/…/a.mjs/proxy.mjs { server => "…" }`
  return sources.map((source) => decodeURIComponent(source).replace(/^.*?(?=node_modules\/)| \{.*$/g, ''));
}
