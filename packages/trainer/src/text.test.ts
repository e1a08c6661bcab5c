import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomStream } from './random.ts';
import { loadText, sampleBatch } from './text.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-text-'));
});
afterEach(() => rm(folder, { recursive: true }));

const read = async (path: string) => new TextDecoder().decode((await loadText(path, 4)).tokens);

test('a file becomes its bytes', async () => {
  const path = join(folder, 'a.txt');
  await writeFile(path, 'zwölf');
  const { tokens, source } = await loadText(path, 4);
  expect([...tokens]).toEqual([0x7a, 0x77, 0xc3, 0xb6, 0x6c, 0x66]);
  expect(source).toBe(path);
});

test('a folder is walked in the order of its names; what is hidden, a package, a link or no text is passed over', async () => {
  await mkdir(join(folder, 'b/node_modules'), { recursive: true });
  await mkdir(join(folder, '.git'));
  const files = {
    'c.txt': 'third',
    'a.txt': 'first ',
    'b/x.ts': 'second ',
    'b/node_modules/y.js': 'no',
    '.git/z': 'no',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  await writeFile(join(folder, 'b/image.png'), new Uint8Array([137, 80, 0, 13]));
  await writeFile(join(folder, 'b/empty.txt'), '');
  await symlink(folder, join(folder, 'b/loop'));
  expect(await read(folder)).toBe('first second third');
});

test('what cannot be trained on is named, with the flag', async () => {
  const empty = join(folder, 'empty.txt');
  const short = join(folder, 'short.txt');
  await writeFile(empty, '');
  await writeFile(short, 'four');
  await mkdir(join(folder, 'nothing'));
  await expect(read(join(folder, 'absent'))).rejects.toThrow(`--text: there is no ${join(folder, 'absent')}`);
  await expect(read(empty)).rejects.toThrow(`--text: ${empty} is empty; a context of 4 needs 5 bytes`);
  await expect(read(short)).rejects.toThrow(`--text: ${short} has 4 bytes; a context of 4 needs 5 bytes`);
  await expect(read(join(folder, 'nothing'))).rejects.toThrow(`--text: ${join(folder, 'nothing')} holds no text files`);
});

test('no more than 32 MiB are read', async () => {
  const half = new Uint8Array(20 * 1024 * 1024).fill(65);
  await writeFile(join(folder, 'a.txt'), half);
  await writeFile(join(folder, 'b.txt'), half);
  const { tokens } = await loadText(folder, 4);
  expect(tokens.length).toBe(32 * 1024 * 1024);
});

test('the default text is there, and is text of at least half a megabyte', async () => {
  const { tokens } = await loadText(undefined, 64);
  expect(tokens.length).toBeGreaterThan(500_000);
  expect(tokens.includes(0)).toBe(false);
});

test('targets are the inputs one token on, and every window of the text is drawn', () => {
  const text = { tokens: Uint8Array.from({ length: 10 }, (_, at) => at), source: 'ten' };
  const { inputs, targets } = sampleBatch(text, 500, 4, randomStream(1));
  expect([...targets]).toEqual([...inputs].map((token) => token + 1));
  const starts = new Set(Array.from({ length: 500 }, (_, row) => inputs[row * 4]));
  expect([...starts].sort()).toEqual([0, 1, 2, 3, 4, 5]);
});
