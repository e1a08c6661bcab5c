// Bundles the programs named on the command line, for Node, into `dist`.
import { build } from 'esbuild';

/** Workspace packages that ship built, and so are loaded as they are. */
const BUILT = ['@evenkeel/dashboard'];

// Workspace packages export TypeScript and must be bundled; what npm installed stays outside.
const npmPackagesStayOutside = {
  name: 'npm-packages-stay-outside',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      const isOurs = path.startsWith('@evenkeel/') && !BUILT.some((name) => path.startsWith(name));
      return isOurs || kind === 'entry-point' ? undefined : { path, external: true };
    }),
};

await build({
  entryPoints: process.argv.slice(2),
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true, // what one command alone needs lands in a file that only it loads
  platform: 'node',
  target: 'node20',
  format: 'esm',
  conditions: ['source'],
  plugins: [npmPackagesStayOutside],
  logLevel: 'warning',
});
