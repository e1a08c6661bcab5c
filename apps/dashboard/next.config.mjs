import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** @type {import('next').NextConfig} */
export default {
  turbopack: { root: join(import.meta.dirname, '../..') },
  poweredByHeader: false,
  // Types are checked by `npm run types`, once for the whole package.
  typescript: { ignoreBuildErrors: true },
  serverExternalPackages: ['@electric-sql/pglite', 'pg'],
  experimental: {
    optimizePackageImports: ['@mantine/core', '@mantine/hooks'],
    // Writing the cache takes a quarter of a first build, which a person waits for; the next build begins it.
    turbopackFileSystemCacheForBuild: existsSync(join(import.meta.dirname, '.next')),
  },
};
