import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true, // what one command needs is loaded by that command only
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: [
    '@electric-sql/pglite',
    '@evenkeel/dashboard',
    '@tensorflow/*',
    '@trpc/client',
    'commander',
    'drizzle-orm',
    'open',
    'pg',
    'socket.io-client',
    'superjson',
    'zod',
  ],
  logLevel: 'warning',
});
