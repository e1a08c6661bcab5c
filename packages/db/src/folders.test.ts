import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PACKAGE } from './package.ts';

test.for([
  ['tables', []],
  ['drivers', []],
  ['reads', ['tables', 'drivers']],
  ['writes', ['tables', 'drivers', 'reads']],
] as const)('%s import only %j of the other folders', ([folder, allowed]) => {
  const path = join(PACKAGE, 'src', folder);
  const files = readdirSync(path).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const imported = files.flatMap((name) => {
    const imports = readFileSync(join(path, name), 'utf8').matchAll(/from '\.\.\/(\w+)\//g);
    return [...imports].map(([, other]) => `${name}: ${other}`);
  });
  expect(files.length).toBeGreaterThan(0);
  expect(imported.filter((line) => !allowed.some((other) => line.endsWith(` ${other}`)))).toEqual([]);
});
