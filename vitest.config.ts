import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Workspace packages are tested from their source, also where they ship built.
  ssr: { resolve: { conditions: ['source', 'module', 'node', 'development|production'] } },
  test: {
    include: ['scripts/*.test.ts', 'packages/*/src/**/*.test.ts', 'apps/*/{src,server,e2e}/**/*.test.ts'],
    globalSetup: ['scripts/test-services.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } }, // a second is too short for a page on a busy machine
  },
});
