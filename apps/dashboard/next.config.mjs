import { join } from 'node:path';

/** @type {import('next').NextConfig} */
export default {
  turbopack: { root: join(import.meta.dirname, '../..') },
  poweredByHeader: false,
  // Types are checked by `npm run types`, once for the whole package.
  typescript: { ignoreBuildErrors: true },
  serverExternalPackages: ['@electric-sql/pglite', 'pg'],
  experimental: { optimizePackageImports: ['@mantine/core', '@mantine/hooks'] },
};
