import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveFlags, trainCommand } from './command.ts';
import { readStudy } from './study/study-file.ts';

let file: string;
beforeAll(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'evenkeel-yaml-')), 'given.yaml');
});
afterAll(() => rm(join(file, '..'), { recursive: true }));

/** As `evenkeel train --config` reads it. */
async function readConfig(): Promise<unknown> {
  const command = trainCommand().action(() => {});
  await command.parseAsync(['--config', file], { from: 'user' });
  return resolveFlags(command);
}

/** Ten aliases of ten aliases … of a text: 2 KB that stand for gigabytes. */
const BILLION = ['l0: &l0 [lol]', ...Array.from({ length: 9 }, (_, at) => level(at + 1)), ''].join('\n');
function level(at: number): string {
  return `l${at}: &l${at} [${Array.from({ length: 10 }, () => `*l${at - 1}`).join(', ')}]`;
}

describe('`study` and `train --config` name file and line, without a stack, of a YAML', () => {
  test.each([
    ['of aliases of aliases', BILLION, 'line 2: the aliases from here on stand for too much'],
    ['of many aliases', `a: &a x\nb: [\n${' *a,\n'.repeat(2_000)} ]`, 'line 1003: more than 1000 aliases'],
    [
      'of an alias without an anchor',
      'layers: 2\nseed: *nobody',
      'line 2: the alias *nobody stands for nothing before it',
    ],
    [
      'of an alias within its own anchor',
      'layers: 2\ntags: &a [*a]',
      'line 2: the alias *a stands for nothing before it',
    ],
    ['nested deep, on one line', `layers: 2\ntags: ${'['.repeat(100_000)}`, 'line 2: lists and mappings are nested'],
    [
      'nested deep, in lines',
      `a:\n${Array.from({ length: 300 }, (_, at) => `${' '.repeat(at)}b:\n`).join('')}`,
      'nested',
    ],
    ['nested deep, in dashes', `a:\n  ${'- '.repeat(50_000)}1`, 'line 2: lists and mappings are nested'],
    ['with a key twice', 'layers: 2\nlayers: 3', 'line 2: Map keys must be unique'],
    ['with a key that is no text', 'layers: 2\n? [a]\n: 3', 'line 2: '],
    ['with a tag that nobody knows', 'layers: 2\nseed: !!js/function "x"', 'line 2: Unresolved tag'],
    ['of two documents', 'layers: 2\n---\nlayers: 3', 'line 2: '],
    ['that breaks off', 'layers: 2\ntags: [a, "b', 'line 2: '],
    ['with an unknown escape', 'layers: 2\nname: "\\q"', 'line 2: '],
    ['longer than any', `layers: 2\n${'# so long\n'.repeat(30_000)}`, 'is longer than 256 KiB'],
  ])('%s', async (_, source, message) => {
    await writeFile(file, source);
    const expected = {
      name: 'UsageError',
      message: expect.stringMatching(/^(--config: )?\S+given\.yaml(, line \d+)?: /),
    };
    for (const read of [readConfig, () => readStudy(file)]) {
      const error = await read().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(expected);
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).not.toContain('\n');
    }
  });
});

test.each([
  ['a number beyond all', 'seed: 1e999', 'seed'],
  ['a number of 100,000 digits', `seed: ${'9'.repeat(100_000)}`, 'seed'],
  ['a list', '- layers: 2', 'no list of settings'],
  ['a text', 'layers', 'no list of settings'],
  ['nothing', '', 'no list of settings'],
  ['a key that objects have', '__proto__: { layers: 2 }', '__proto__'],
])('`train --config` refuses a YAML of %s', async (_, source, field) => {
  await writeFile(file, source);
  await expect(readConfig()).rejects.toMatchObject({ name: 'UsageError', message: expect.stringContaining(field) });
});

test('a folder, or what is not there, is no file of settings', async () => {
  await expect(readStudy(join(file, '..'))).rejects.toMatchObject({ name: 'UsageError' });
  await expect(readStudy(join(file, '../none'))).rejects.toThrow(/^there is no .*none$/);
});

test('a study of more runs than memory holds is refused with their number', async () => {
  const values = JSON.stringify(Array.from({ length: 1_000 }, (_, at) => at + 1));
  await writeFile(file, `project: p\ngrid: [{ seed: ${values}, steps: ${values}, layers: ${values} }]`);
  await expect(readStudy(file)).rejects.toThrow('grid: makes 1000000000 runs; a study has at most 10000');
});

test('some aliases in a file of settings are fine', async () => {
  await writeFile(
    file,
    'project: p\nbase: &b { attention: mha, layers: 2, lr: 1e-3, seed: 1, steps: 9, warmup: 2 }\ngrid: [*b]',
  );
  expect((await readStudy(file)).runs).toHaveLength(1);
});
