import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).trim().split('\n');

test.each(documents)('%s refers to files that exist', (document) => {
  const text = readFileSync(join(root, document), 'utf8');
  const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g), ...text.matchAll(/src(?:set)?="([^"]+)"/g)];
  const besideIt = links.map(([, target = '']) => target).filter((target) => !/^\w+:/.test(target));
  const fromRoot = [...text.matchAll(/`((?:apps|packages|docker|scripts|docs)\/[\w./-]+)`/g)].map(
    ([, path = '']) => path,
  );
  const missing = [
    ...besideIt.filter((target) => !existsSync(join(root, dirname(document), target))),
    ...fromRoot.filter((path) => !existsSync(join(root, path))),
  ];
  expect(missing).toEqual([]);
});
