import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { buildStamp, hashSources } from './build-stamp.mjs';

/** A repository that has been built, and how a file of it is written. */
function builtRepository() {
  const root = mkdtempSync(join(tmpdir(), 'evenkeel-stamp-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('apps/cli/src/main.ts', 'one');
  write('apps/cli/dist/main.mjs', 'built from one');
  write('packages/db/migrations/0000.sql', 'create');
  write('package.json', '{}');
  return { root, write };
}

test.each(['apps/cli/src/main.ts', 'apps/cli/src/new.ts', 'packages/db/migrations/0000.sql', 'package.json'])(
  'a change of %s is a change of the sources',
  (path) => {
    const { root, write } = builtRepository();
    const before = hashSources(root);
    expect(hashSources(root)).toBe(before);
    write(path, 'other');
    expect(hashSources(root)).not.toBe(before);
  },
);

test.each(['apps/cli/node_modules/a.js', 'apps/cli/.dev/main.mjs', 'apps/dashboard/next-env.d.ts'])(
  'what lies in %s needs no build',
  (path) => {
    const { root, write } = builtRepository();
    const stamp = () => buildStamp(root, hashSources(root));
    const before = stamp();
    write(path, 'other');
    expect(stamp()).toBe(before);
  },
);

test('an output that something else has written, or taken away, needs a build although the sources are the same', () => {
  const { root, write } = builtRepository();
  const sources = hashSources(root);
  const before = buildStamp(root, sources);
  write('apps/cli/dist/main.mjs', 'built from two');
  expect(hashSources(root)).toBe(sources);
  const rewritten = buildStamp(root, sources);
  rmSync(join(root, 'apps/cli/dist/main.mjs'));
  expect(new Set([before, rewritten, buildStamp(root, sources)]).size).toBe(3);
});
