import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'apps/*/{src,server,e2e}/**/*.test.ts'],
    globalSetup: ['scripts/test-services.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
