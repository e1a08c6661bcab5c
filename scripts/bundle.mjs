// Bundles the programs named on the command line, for Node, into `dist`.
import { build } from 'esbuild';
import { bundleOptions } from './bundle-options.mjs';

await build({
  ...bundleOptions,
  entryPoints: process.argv.slice(2),
  outdir: 'dist',
  splitting: true, // what one command alone needs lands in a file that only it loads
});
