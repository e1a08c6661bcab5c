import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Workspace packages are tested from their source, also where they ship built.
  ssr: { resolve: { conditions: ['source', 'module', 'node', 'development|production'] } },
  test: {
    include: ['scripts/*.test.ts', 'packages/**/{src,e2e}/**/*.test.ts', 'apps/*/{src,server,e2e}/**/*.test.ts'],
    globalSetup: ['scripts/test-services.ts', 'packages/db/src/testing-template-setup.ts'],
    setupFiles: ['scripts/test-seed.ts'],
    reporters: ['default', './scripts/test-skips.ts'],
    env: { EVENKEEL_SPOOL: 'false' }, // what a run leaves in the default folder, runs of other tests would send
    maxWorkers: availableParallelism(), // by default one fewer, while many tests wait for processes of their own
    // Limits of a busy machine: what is waited for comes far sooner, and a test that waits for it in vain is rare.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
