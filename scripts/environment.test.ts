import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
/** Of ours, and those without our prefix that users set. */
const VARIABLE = /\b(?:EVENKEEL_[A-Z_]+|DATABASE_URL|POSTGRES_PASSWORD)\b/g;

test('.env.example has every variable that the sources and the images read, and no other', () => {
  const kinds = ['*.ts', '*.tsx', '*.mjs', '*.py', '*.yaml', '*Dockerfile'];
  const files = execFileSync('git', ['ls-files', ...kinds], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n');
  const named = files
    .filter((file) => file !== 'scripts/environment.test.ts')
    .flatMap((file) => read(file).match(VARIABLE) ?? []);
  const offered = [...read('.env.example').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
  expect(offered.toSorted()).toEqual([...new Set(named)].toSorted());
});
