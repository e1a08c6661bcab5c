import { mkdir, mkdtemp, open, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { encode } from 'gpt-tokenizer/encoding/gpt2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomStream } from '../random.ts';
import { UsageError } from '../usage-error.ts';
import { type CorpusOptions, evaluationBatches, openCorpus, sampleBatch, type Tokens } from './corpus.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-text-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes files below the folder, by name. */
async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

function options(paths: string[], others: Partial<CorpusOptions> = {}): CorpusOptions {
  const inFolder = paths.map((path) => join(folder, path));
  return { paths: inFolder, tokenizer: 'bytes', heldOut: 0, context: 4, cache: join(folder, '.cache'), ...others };
}

async function textOf(...paths: string[]): Promise<string> {
  await using corpus = await openCorpus(options(paths));
  return new TextDecoder().decode(Uint8Array.from(await all(corpus.training)));
}

const all = (tokens: Tokens) => tokens.read(0, tokens.length);

test('a file becomes its bytes', async () => {
  await write({ 'a.txt': 'zwölf' });
  await using corpus = await openCorpus(options(['a.txt']));
  expect([...(await all(corpus.training))]).toEqual([0x7a, 0x77, 0xc3, 0xb6, 0x6c, 0x66]);
  expect(corpus).toMatchObject({ vocabulary: 256, source: join(folder, 'a.txt'), tokenizer: 'bytes' });
});

test('a folder is walked in the order of its names; what is hidden, a package, a link or no text is passed over', async () => {
  await write({
    'c.txt': 'third',
    'a.txt': 'first ',
    'b/x.ts': 'second ',
    'b/node_modules/y.js': 'no',
    '.git/z': 'no',
  });
  await write({ 'b/image.png': new Uint8Array([137, 80, 0, 13]), 'b/empty.txt': '' });
  await symlink(folder, join(folder, 'b/loop'));
  await symlink(join(folder, 'a.txt'), join(folder, 'b/link.txt'));
  expect(await textOf('')).toBe('first second third');
});

test('a folder is walked even where it is hidden itself, or lies in a package', async () => {
  await write({ '.hidden/node_modules/a/b.txt': 'inside' });
  expect(await textOf('.hidden/node_modules/a')).toBe('inside');
});

test('a glob takes the text files that it matches, below folders too', async () => {
  await write({
    'a.md': 'A',
    'b.txt': 'B',
    'sub/c.md': 'C',
    'sub/.d.md': 'D',
    'sub/e.md': '\0E',
    'node_modules/f.md': 'F',
  });
  await write({ long: 'enough' });
  expect(await textOf('*.md', 'long')).toBe('Aenough');
  expect(await textOf('**/*.md', 'long')).toBe('ACenough');
  expect(await textOf('{a,b}.*', 'long')).toBe('ABenough');
  expect(await textOf('node_modules/*.md', 'long')).toBe('Fenough');
  const { paths } = options(['**/*.md', 'long']);
  await using corpus = await openCorpus(options([], { paths: paths.map((path) => relative(process.cwd(), path)) }));
  expect(corpus.training.length).toBe('ACenough'.length);
  expect(corpus.source).toContain('long (3 files)');
});

test('of several paths each file is taken once, in their order; a name with glob signs in it is a name', async () => {
  await write({ 'a.txt': 'first ', 'b.txt': 'second ', '[ab].txt': 'third ' });
  expect(await textOf('[ab].txt', 'b.txt', '', 'b.txt')).toBe('third second first ');
});

test('what cannot be trained on is named, with the flag', async () => {
  await write({ 'empty.txt': '', 'short.txt': 'four', 'other.txt': 'o' });
  await mkdir(join(folder, 'nothing'));
  const at = (path: string) => join(folder, path);
  const fails = (paths: string[], message: string) =>
    expect(openCorpus(options(paths))).rejects.toThrow(new UsageError(message));
  await fails(['absent'], `--text: there is no ${at('absent')}`);
  await fails(['short.txt', 'empty.txt'], `--text: ${at('empty.txt')} is empty`);
  await fails(['short.txt'], `--text: ${at('short.txt')} has 4 bytes; a context of 4 needs 5 bytes`);
  await fails(['nothing'], `--text: ${at('nothing')} holds no text files`);
  await fails(['*.md'], `--text: no text file matches ${at('*.md')}`);
  await expect(textOf('short.txt', 'other.txt')).resolves.toBe('fouro');
});

test('the end of the text is held out, and each part has a window', async () => {
  const held = { heldOut: 0.1, context: 4 };
  await write({ 'a.txt': Uint8Array.from({ length: 50 }, (_, at) => at + 1), 'b.txt': new Uint8Array(49).fill(1) });
  await using corpus = await openCorpus(options(['a.txt'], held));
  expect([...(await all(corpus.training))]).toEqual(Array.from({ length: 45 }, (_, at) => at + 1));
  expect([...(await all(corpus.heldOut))]).toEqual([46, 47, 48, 49, 50]);
  expect(() => corpus.training.read(41, 5)).toThrow(RangeError);
  await expect(openCorpus(options(['b.txt'], held))).rejects.toThrow(
    `${join(folder, 'b.txt')} has 49 bytes; a context of 4 with a held-out share of 0.1 needs 50 bytes`,
  );
});

test('files that follow each other are read across their borders, many of them and at once', async () => {
  const parts = Array.from({ length: 100 }, (_, at) => `<${at}>`.repeat(at % 4));
  await write(Object.fromEntries(parts.map((part, at) => [`${String(at).padStart(3, '0')}.txt`, part])));
  const whole = parts.join('');
  await using corpus = await openCorpus(options(['']));
  expect(corpus.training.length).toBe(whole.length);
  const starts = Array.from({ length: whole.length - 20 }, (_, start) => start);
  const windows = await Promise.all(starts.map((start) => corpus.training.read(start, 20)));
  expect(windows.map((window) => String.fromCharCode(...window))).toEqual(
    starts.map((start) => whole.slice(start, start + 20)),
  );
});

test('a file of 3 GB is read where it lies', async () => {
  const size = 3_000_000_000;
  const path = join(folder, 'large.txt');
  await writeFile(path, '');
  await truncate(path, size); // a hole, which takes no room on disk
  const file = await open(path, 'r+');
  await file.write('the end', size - 7);
  await file.close();
  const before = process.memoryUsage().rss;
  await using corpus = await openCorpus(options(['large.txt'], { heldOut: 0.001 }));
  expect(corpus.training.length + corpus.heldOut.length).toBe(size);
  expect(String.fromCharCode(...(await corpus.heldOut.read(3_000_000 - 7, 7)))).toBe('the end');
  await sampleBatch(corpus.training, 100, 64, randomStream(1));
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
});

test('a text that became shorter as it was trained on is an error, not zeros', async () => {
  await write({ 'a.txt': 'long enough' });
  await using corpus = await openCorpus(options(['a.txt']));
  await truncate(join(folder, 'a.txt'), 6);
  await expect(corpus.training.read(2, 6)).rejects.toThrow(`${join(folder, 'a.txt')} became shorter`);
});

test('the default text is there, and is text of at least half a megabyte', async () => {
  await using corpus = await openCorpus(options([]));
  const tokens = await all(corpus.training);
  expect(tokens.length).toBeGreaterThan(500_000);
  expect(tokens.includes(0)).toBe(false);
  expect(corpus.source).toContain('TensorFlow.js');
});

test('a fingerprint follows what is in the files, not where they are', async () => {
  const fingerprint = async (...paths: string[]) => {
    await using corpus = await openCorpus(options(paths));
    return corpus.fingerprint;
  };
  await write({
    'a/x.txt': 'one two',
    'b/x.txt': 'one two',
    'b/y.txt': ' three',
    'c.txt': 'one two three',
    'd.txt': 'one twa',
  });
  expect(await fingerprint('a')).toBe(await fingerprint('b/x.txt'));
  expect(await fingerprint('a')).not.toBe(await fingerprint('d.txt'));
  expect(await fingerprint('b')).not.toBe(await fingerprint('c.txt'));
  expect(await fingerprint('b')).toMatch(/^13-/);
});

test('a fingerprint of a large text follows size, time and first bytes of its files', async () => {
  const path = join(folder, 'large.txt');
  await writeFile(path, 'start');
  await truncate(path, 100_000_000);
  const fingerprintAt = async (seconds: number) => {
    await utimes(path, seconds, seconds);
    await using corpus = await openCorpus(options(['large.txt']));
    return corpus.fingerprint;
  };
  const first = await fingerprintAt(1_000_000);
  expect(await fingerprintAt(1_000_000)).toBe(first);
  expect(await fingerprintAt(1_000_001)).not.toBe(first);
  await write({ 'large.txt': 'other' });
  await truncate(path, 100_000_000);
  expect(await fingerprintAt(1_000_000)).not.toBe(first);
});

/** Where tokens say where they are; `length` may be anything. */
function positions(length: number): Tokens & { starts: number[] } {
  const starts: number[] = [];
  const read = async (start: number, count: number) => {
    starts.push(start);
    return Int32Array.from({ length: count }, (_, at) => start + at);
  };
  return { length, read, starts };
}

test('targets are the inputs one token on, and every window of the text is drawn', async () => {
  const text = positions(10);
  const { inputs, targets } = await sampleBatch(text, 500, 4, randomStream(1));
  expect(inputs.length).toBe(500 * 4);
  expect([...targets]).toEqual([...inputs].map((token) => token + 1));
  expect(Math.max(...targets)).toBe(9);
  expect([...new Set(text.starts)].sort()).toEqual([0, 1, 2, 3, 4, 5]);
});

test('the same random numbers draw the same batch, others another', async () => {
  const draw = (seed: number) => sampleBatch(positions(1_000_000), 8, 16, randomStream(seed));
  expect(await draw(1)).toEqual(await draw(1));
  expect(await draw(1)).not.toEqual(await draw(2));
});

test('a text of more tokens than 32 bits count is drawn from evenly, to the last bit', async () => {
  const text = positions(2 ** 40);
  await sampleBatch(text, 2000, 4, randomStream(1));
  const odd = text.starts.filter((start) => start % 2 === 1).length;
  const late = text.starts.filter((start) => start >= 2 ** 39).length;
  expect(Math.abs(odd - 1000)).toBeLessThan(135); // six standard deviations
  expect(Math.abs(late - 1000)).toBeLessThan(135);
  await sampleBatch(text, 1, 4, () => 1 - 2 ** -32);
  expect(text.starts.at(-1)).toBeLessThan(2 ** 40 - 4);
});

test('an evaluation reads consecutive windows from the start, as many as are wanted or there are', async () => {
  const batches = await evaluationBatches(positions(14), 100, 2, 4); // three windows of 4, and a target beyond
  expect(batches.map(({ inputs }) => [...inputs])).toEqual([
    [0, 1, 2, 3, 4, 5, 6, 7],
    [8, 9, 10, 11],
  ]);
  expect(batches.map(({ targets }) => [...targets])).toEqual([
    [1, 2, 3, 4, 5, 6, 7, 8],
    [9, 10, 11, 12],
  ]);
  expect((await evaluationBatches(positions(13), 2, 2, 4)).map(({ inputs }) => inputs.length)).toEqual([8]);
  expect((await evaluationBatches(positions(12), 9, 9, 4)).map(({ inputs }) => inputs.length)).toEqual([8]);
  expect(await evaluationBatches(positions(0), 9, 9, 4)).toEqual([]);
});

const gpt2 = (paths: string[]) => options(paths, { tokenizer: 'gpt2' });
const cached = () => readdir(join(folder, '.cache'));

test('gpt2: the tokens are those of each file encoded at once, with end-of-text between two', async () => {
  const one = 'Zwölf Boxkämpfer — 十二 boxers 🥊🥊 don’t <|endoftext|> stop.\n\n'.repeat(5000); // several parts
  const two = '\ufeffSecond file;  12345 lines\r\n';
  await write({ '1.txt': one, '2.txt': two });
  const fractions: number[] = [];
  await using corpus = await openCorpus(gpt2(['']), (fraction) => fractions.push(fraction));
  const plain = (text: string) => encode(text, { disallowedSpecial: new Set() });
  expect([...(await all(corpus.training))]).toEqual([...plain(one), 50_256, ...plain(two)]);
  expect(corpus.vocabulary).toBe(50_257);
  expect([...fractions].sort((a, b) => a - b)).toEqual(fractions);
  expect(fractions.length).toBeGreaterThan(3);
  expect(fractions.at(-1)).toBe(1);
});

test('gpt2: a text is encoded once, and again when it has changed', async () => {
  await write({ 'a.txt': 'one two three four five six' });
  let encoded = 0;
  const open = async () => {
    await using corpus = await openCorpus(gpt2(['a.txt']), () => encoded++);
    return { tokens: [...(await all(corpus.training))], fingerprint: corpus.fingerprint };
  };
  const first = await open();
  expect(await open()).toEqual(first);
  expect(encoded).toBe(1);
  await write({ 'a.txt': 'one two three four five SIX' }); // as long as before
  const changed = await open();
  expect(encoded).toBe(2);
  expect(changed.tokens).toEqual(encode('one two three four five SIX'));
  expect(changed.fingerprint).not.toBe(first.fingerprint);
});

test('gpt2: what a killed process left is not taken, and goes when it is old', async () => {
  await write({ 'a.txt': 'one two three four five six' });
  await (await openCorpus(gpt2(['a.txt'])))[Symbol.asyncDispose]();
  const [name] = await cached();
  await rm(join(folder, '.cache', name as string));
  await write({
    [`.cache/${name}.old.new`]: 'half',
    [`.cache/${name}.young.new`]: 'half',
    [`.cache/${name}`]: 'no mark!',
  });
  await utimes(join(folder, `.cache/${name}.old.new`), 1_000_000, 1_000_000);
  await using corpus = await openCorpus(gpt2(['a.txt']));
  expect([...(await all(corpus.training))]).toEqual(encode('one two three four five six'));
  expect(await cached()).toEqual([name, `${name}.young.new`]);
});

test('gpt2: several processes that encode one text at a time do not disturb each other', async () => {
  await write({ 'a.txt': 'to be or not to be. '.repeat(20_000) });
  const corpora = await Promise.all([1, 2, 3].map(() => openCorpus(gpt2(['a.txt']))));
  const tokens = await Promise.all(corpora.map(({ training }) => all(training)));
  expect(new Set(tokens.map(String)).size).toBe(1);
  expect((await cached()).length).toBe(1);
  for (const corpus of corpora) await corpus[Symbol.asyncDispose]();
});

test('gpt2: an error leaves nothing half made', async () => {
  await write({ 'a.txt': 'x'.repeat(300_000), 'b.txt': 'enough text' });
  const encoding = openCorpus(gpt2(['a.txt', 'b.txt']), () => {
    throw new Error('interrupted');
  });
  await expect(encoding).rejects.toThrow('interrupted');
  expect(await cached()).toEqual([]);
});

test('gpt2: what is not UTF-8 is replaced and counted, also where the tokens were cached', async () => {
  const bytes = Buffer.concat([Buffer.from('a fine text '), Buffer.from([0xff, 0xc3]), Buffer.from(' goes on \ufffd')]);
  await write({
    'a.txt': bytes,
    'b.txt': 'right, with \ufffd in it',
    'c.txt': Buffer.from('cut short ö').subarray(0, -1),
  });
  for (const _ of ['encoded', 'kept']) {
    await using corpus = await openCorpus(gpt2(['']));
    const texts = [bytes.toString(), 'right, with \ufffd in it', 'cut short \ufffd'];
    expect([...(await all(corpus.training))]).toEqual(
      texts.flatMap((text, at) => [...(at ? [50_256] : []), ...encode(text)]),
    );
    expect(corpus.source).toBe(`${folder} (3 files); not UTF-8 throughout, with U+FFFD instead: 2`);
  }
});

test('gpt2: too little text is reported in tokens, and a cache that cannot be written with its flag', async () => {
  await write({ 'a.txt': 'one two three', file: 'in the way' });
  await expect(openCorpus(gpt2(['a.txt']))).rejects.toThrow('has 3 tokens; a context of 4 needs 5 tokens');
  const blocked = openCorpus({ ...gpt2(['a.txt']), cache: join(folder, 'file') });
  await expect(blocked).rejects.toThrow(`--tokenizer: tokens cannot be cached in ${join(folder, 'file')}: `);
});
