import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const SCOPE = '@evenkeel/';
/** Compiler settings, which every package has and no drawing needs. */
const LEFT_OUT = 'packages/tsconfig';
/** Bundled into what `emit` publishes, and so no dependency of who installs it. */
const BUNDLED_DEPENDENCIES = ['packages/emit'];

interface Package {
  folder: string;
  name: string;
  /** Names of the workspace packages that it declares for run time; and for tests. */
  needs: Set<string>;
  needsInTests: Set<string>;
}

const packages = ['apps', 'packages', 'packages/doors']
  .filter((parent) => existsSync(join(root, parent)))
  .flatMap((parent) => readdirSync(join(root, parent)).map((name) => `${parent}/${name}`))
  .filter((folder) => folder !== LEFT_OUT && existsSync(join(root, folder, 'package.json'))) // one is Python, one holds the doors
  .map(readPackage);
const folderOf = new Map(packages.map(({ name, folder }) => [name, folder]));

function readPackage(folder: string): Package {
  const { name, dependencies, peerDependencies, devDependencies } = JSON.parse(read(`${folder}/package.json`));
  const ours = (...records: object[]) =>
    new Set(records.flatMap(Object.keys).filter((each) => each.startsWith(SCOPE) && each !== `${SCOPE}tsconfig`));
  const inTests = ours(devDependencies ?? {});
  const needs = ours(
    dependencies ?? {},
    peerDependencies ?? {},
    BUNDLED_DEPENDENCIES.includes(folder) ? devDependencies : {},
  );
  return { folder, name, needs, needsInTests: inTests };
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The first drawing of the page: which folder each of its names stands for, and its arrows. */
function readDrawing() {
  const [, drawing = ''] = /```mermaid\nflowchart[^\n]*\n(.*?)```/s.exec(read('docs/architecture.md')) ?? [];
  const nodes = new Map(
    [...drawing.matchAll(/^ *(\w+)\["([\w/-]+)<br>/gm)].map(([, id = '', folder = '']) => [id, folder]),
  );
  const arrows = [...drawing.matchAll(/^ *(\w+) --> (\w+)$/gm)].map(([, from = '', to = '']) => [
    nodes.get(from),
    nodes.get(to),
  ]);
  return { folders: [...nodes.values()], arrows: arrows.map((ends) => ends.join(' → ')) };
}

/** Every package that one leads to, over any number of steps. */
function dependenciesOf(name: string): Set<string> {
  const direct = packages.find((each) => each.name === name)?.needs ?? new Set<string>();
  return new Set([...direct].flatMap((each) => [each, ...dependenciesOf(each)]));
}

test('the drawing of the architecture has every package', () => {
  expect(readDrawing().folders.toSorted()).toEqual(packages.map(({ folder }) => folder).toSorted());
});

test('the drawing has an arrow for each dependency that does not follow from others', () => {
  const arrows = packages.flatMap(({ folder, needs }) => {
    const implied = new Set([...needs].flatMap((each) => [...dependenciesOf(each)]));
    return [...needs].filter((each) => !implied.has(each)).map((each) => `${folder} → ${folderOf.get(each)}`);
  });
  expect(readDrawing().arrows.toSorted()).toEqual(arrows.toSorted());
});

test.each(packages)(
  '$folder declares each package of ours that it imports, and imports each that it declares',
  ({ folder, name, needs, needsInTests }) => {
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', folder], {
      cwd: root,
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
      .filter((path) => /\.(?:tsx?|mjs)$/.test(path));
    const imported = new Set(files.flatMap((path) => importsOf(read(path))).filter((each) => each !== name));
    expect([...imported].toSorted()).toEqual([...new Set([...needs, ...needsInTests])].toSorted());
  },
);

/** By statements at the start of a line, since the dashboard shows some code as text, and by `import(…)` anywhere. */
function importsOf(source: string): string[] {
  const pattern = /(?:^(?:import|export|\})[^'\n]*|\bimport\()'(@evenkeel\/[\w-]+)/gm;
  return [...source.matchAll(pattern)].map(([, name = '']) => name);
}
