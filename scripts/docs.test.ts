import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const documents = listFiles('*.md');

function listFiles(...paths: string[]): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...paths], {
    cwd: root,
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
}

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

test.each(documents)('%s refers to files that exist', (document) => {
  const text = read(document);
  const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g), ...text.matchAll(/src(?:set)?="([^"]+)"/g)];
  const besideIt = links.map(([, target = '']) => target).filter((target) => !/^\w+:/.test(target));
  const fromRoot = [...text.matchAll(/`(?:node )?((?:apps|packages|docker|scripts|docs|findings)\/[\w./-]+)/g)].map(
    ([, path = '']) => path,
  );
  const missing = [
    ...besideIt.filter((target) => !existsSync(join(root, dirname(document), target))),
    ...fromRoot.filter((path) => !existsSync(join(root, path))),
  ];
  expect(missing).toEqual([]);
});

test.each(documents)('%s links to headings that exist', (document) => {
  const missing = [...read(document).matchAll(/\]\(([^)#\s]*)#([^)\s]+)\)/g)].filter(([, file = '', anchor = '']) => {
    if (/^\w+:/.test(file)) return false;
    return !anchorsOf(file ? join(dirname(document), file) : document).has(anchor);
  });
  expect(missing.map(([link]) => link)).toEqual([]);
});

/** As GitHub makes them. */
function anchorsOf(document: string): Set<string> {
  const headings = [...read(document).matchAll(/^#+ (.+)$/gm)];
  return new Set(
    headings.map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

// Of a page in a package, such as a table of its source files.
test.each(documents.filter((document) => document.startsWith('packages/')))(
  '%s names sources of its package',
  (page) => {
    const known = new Set(listFiles(dirname(page)).map((path) => basename(path)));
    const named = [...read(page).matchAll(/`([\w-]+\.(?:ts|mjs))`/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  },
);
