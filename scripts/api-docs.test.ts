import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportsOf } from './api-docs/modules.mjs';
import { exportNames, FOLDER, pagesOf, readApi } from './api-docs/pages.mjs';
import { proceduresOf } from './api-docs/procedures.mjs';
import { signatureOf } from './api-docs/signature.mjs';

const folder = join(import.meta.dirname, '..', FOLDER);
const api = readApi();
const pages = pagesOf(api);
const undocumented = api.filter(({ docstring }) => docstring === null).map((each) => `${each.package} ${each.name}`);

test.each([...pages])(`${FOLDER}/%s is what the sources say`, (name, text) => {
  expect(readFileSync(join(folder, name), 'utf8'), 'the page is stale: run `npm run docs`').toBe(text);
});

test(`${FOLDER} has no other page`, () => {
  expect(readdirSync(folder).sort(), 'run `npm run docs`').toEqual([...pages.keys()].sort());
});

test('every export has a docstring', () => {
  expect(undocumented, 'write a docstring for each: its meaning, shape, unit, errors and source').toEqual([]);
});

test('the types that emit publishes are those of all that it exports', () => {
  const published = exportNames('packages/emit/src/public.ts');
  expect(exportNames('packages/emit/src/index.ts').sort()).toEqual(published.sort());
});

describe('of a package', () => {
  let sources: string;

  beforeAll(() => {
    sources = mkdtempSync(join(tmpdir(), 'evenkeel-api-docs-'));
  });
  afterAll(() => rmSync(sources, { recursive: true }));

  /** The one export of a file, which may import from `other.ts`. */
  function declarationIn(source: string, other: string) {
    const folder = mkdtempSync(join(sources, 'package-'));
    writeFileSync(join(folder, 'other.ts'), other);
    writeFileSync(join(folder, 'index.ts'), source);
    const [declaration] = exportsOf(join(folder, 'index.ts'));
    if (!declaration) throw new Error('exports nothing');
    return declaration;
  }

  const signature = (source: string, other = '') => signatureOf(declarationIn(source, other));

  test('a signature of a function has no body', () => {
    expect(signature('export async function load(path: string): Promise<void> { await path; }')).toBe(
      'async function load(path: string): Promise<void>;',
    );
  });

  test('a signature is found in the file that declares it', () => {
    const other = 'export const LIMIT = 3;';
    expect(signature("export * from './other.ts';", other)).toBe('const LIMIT = 3;');
    expect(signature("export { LIMIT } from './other.ts';", other)).toBe('const LIMIT = 3;');
    expect(signature("import { LIMIT } from './other.ts'; export { LIMIT };", other)).toBe('const LIMIT = 3;');
  });

  test('a signature of a class has what is public, with its docstrings', () => {
    const source = `export class Counter extends Base {
  #count = 0;
  private last: number | null = null;
  /** Steps, see {@link Step}. */
  readonly steps: number[] = [];
  constructor(step = 1) { super(); }
  /** One more. */
  add(count: number): void { this.#count += count; }
  protected reset(): void {}
}`;
    expect(signature(source)).toBe(`class Counter extends Base {
  /** Steps, see Step. */
  readonly steps: number[];
  constructor(step = 1);
  /** One more. */
  add(count: number): void;
}`);
  });

  test('a signature of a schema has its ranges, and no bodies of functions', () => {
    const source = 'export const size = z.number().min(1).refine((value) => { return value % 2 === 0; });';
    expect(signature(source)).toBe('const size = z.number().min(1).refine((value) => { … });');
  });

  test('a signature of a typed value of several lines is its type', () => {
    expect(signature('export const TABLE: readonly number[] = [\n  1,\n  2,\n];')).toBe(
      'const TABLE: readonly number[];',
    );
  });

  test('an export of another package is refused', () => {
    expect(() => signature("export { z } from 'zod';")).toThrow('exports z, which no file of its package declares');
  });

  test('procedures have the names of their routers, docstrings, and inputs with what these are made of', () => {
    const source = "import { runs } from './other.ts'; export const app = router({ run: runs });";
    const other = `const MAX = 3;
const request = z.object({ limit: z.number().max(MAX) });
const unused = 1;
export const runs = router({
  /** Some runs. */
  list: procedure.input(request).query(({ input }) => input.limit),
  clear: procedure.mutation(() => { request.parse(unused); }),
});`;
    expect(proceduresOf(declarationIn(source, other))).toEqual([
      {
        name: 'run.list',
        kind: 'query',
        docstring: 'Some runs.',
        signature: [
          'const MAX = 3;',
          'const request = z.object({ limit: z.number().max(MAX) });',
          'const input = request;',
        ].join('\n'),
      },
      { name: 'run.clear', kind: 'mutation', docstring: null, signature: null },
    ]);
  });
});
