// Builds the pages with Next.js and bundles the server beside them.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const next = createRequire(import.meta.url).resolve('next/dist/bin/next');
const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' };
const pages = spawnSync(process.execPath, [next, 'build'], { stdio: 'inherit', env });
if (pages.status !== 0) process.exit(pages.status ?? 1);

await build({
  entryPoints: ['server.ts'],
  outfile: 'dist/server.mjs',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // Workspace packages export TypeScript and must be bundled; what npm installed stays outside.
  external: ['next', 'socket.io', 'pg', '@electric-sql/pglite', 'drizzle-orm', 'zod', 'superjson', '@trpc/server'],
  logLevel: 'warning',
});
