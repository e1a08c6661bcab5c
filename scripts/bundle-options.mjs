// How a program of this repository is bundled for Node.
import { existsSync } from 'node:fs';

/** Workspace packages that ship built, and so are loaded as they are. */
const BUILT = ['@evenkeel/dashboard'];

/** A package that was removed, as the image of a server does with the trainer, is left to fail where it is imported. */
function isPresent(path) {
  return existsSync(new URL(`../node_modules/${path.split('/', 2).join('/')}/package.json`, import.meta.url));
}

// Workspace packages export TypeScript and must be bundled; what npm installed stays outside. `#` begins a name of our own.
const npmPackagesStayOutside = {
  name: 'npm-packages-stay-outside',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^[^./#]/ }, ({ path, kind }) => {
      const isOurs = path.startsWith('@evenkeel/') && !BUILT.some((name) => path.startsWith(name)) && isPresent(path);
      return isOurs || kind === 'entry-point' ? undefined : { path, external: true };
    }),
};

/** @type {import('esbuild').BuildOptions} */
export const bundleOptions = {
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  conditions: ['source'],
  plugins: [npmPackagesStayOutside],
  logLevel: 'warning',
};
