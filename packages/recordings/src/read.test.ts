import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { MAX_CUSTOM_SCALARS, MAX_FRAME_BYTES } from '@evenkeel/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRecording, readRecordings } from './read.ts';

/** Runs of our own trainer that come with the command. */
const COMMITTED_RUNS = join(import.meta.dirname, '../../../apps/cli/recordings');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-recordings-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const linesOf = (...lines: object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const run = (id: string, more = {}) => ({ type: 'run', id, ...more });
const step = (number: number, more = {}) => ({ type: 'step', step: number, ...more });
const finish = { type: 'finish', status: 'stopped' };

async function read(...patterns: string[]) {
  const warnings: string[] = [];
  const found = [];
  for await (const { file, runs } of readRecordings(patterns, (message) => warnings.push(message))) {
    for (const each of runs) {
      const steps = [];
      for await (const { step: number } of each.readSteps()) steps.push(number);
      found.push({ file, id: each.start.id, attempt: each.start.attempt, steps, ended: each.finish?.status ?? null });
    }
  }
  return { warnings, found };
}

const MANY = [
  ...[run('a', { notes: 'p\u2028q ü' }), step(0), step(1, { loss: 'NaN' }), finish],
  ...[run('b'), run('c', { attempt: 2 }), step(7), run('c', { attempt: 3 }), step(4), step(5)],
];
const MANY_FOUND = [
  { id: 'a', attempt: 1, steps: [0, 1], ended: 'stopped' },
  { id: 'b', attempt: 1, steps: [], ended: null },
  { id: 'c', attempt: 2, steps: [7], ended: null },
  { id: 'c', attempt: 3, steps: [4, 5], ended: null },
];

test('a file of many runs, plain, compressed, with blank lines and other ends of line', async () => {
  const plain = linesOf(...MANY);
  const files = [
    write('plain.jsonl', plain),
    write('packed.jsonl.gz', gzipSync(plain)),
    write('windows.jsonl', `\ufeff${plain.replaceAll('\n', '\r\n\r\n')}`),
  ];
  for (const file of files) {
    expect(await read(file)).toEqual({ warnings: [], found: MANY_FOUND.map((each) => ({ file, ...each })) });
  }
});

test('a file that is cut anywhere is read up to its last whole line', async () => {
  const whole = linesOf(run('a'), step(0), step(1), finish);
  const [first = ''] = whole.split('\n');
  for (let length = first.length; length < whole.length; length++) {
    const { warnings, found } = await read(write('cut.jsonl', whole.slice(0, length)));
    // A line that lacks no more than its end is whole.
    const lines = `${whole.slice(0, length)}\n`.split('}\n').length - 1;
    const isTorn = !/[}\n]$/.test(whole.slice(0, length));
    expect(found).toMatchObject([{ id: 'a', steps: [0, 1].slice(0, Math.min(lines - 1, 2)) }]);
    expect(warnings).toEqual(isTorn ? [expect.stringMatching(/cut\.jsonl:\d: the last line is incomplete/)] : []);
  }
});

test('a file that is cut within a character is read up to its last whole line', async () => {
  const whole = Buffer.from(`${linesOf(run('a'), step(0))}{"type":"finish","status":"stopped","reason":"ü`);
  const { warnings, found } = await read(write('cut.jsonl', whole.subarray(0, -1)));
  expect(found).toMatchObject([{ id: 'a', steps: [0], ended: null }]);
  expect(warnings).toEqual([expect.stringMatching(/cut\.jsonl:3: the last line is incomplete/)]);
});

describe('a file without a whole line, as a trainer leaves that is killed at once', () => {
  const EMPTY = [
    ['nothing', ''],
    ['blank lines', '\n \n '],
    ['an incomplete line', '{"type":"run","id'],
  ] as const;

  test.each(EMPTY)('%s: a recording of no run, with a warning', async (_, content) => {
    const warnings: string[] = [];
    const file = write('empty.jsonl', content);
    expect(await readRecording(file, (message) => warnings.push(message))).toMatchObject({ file, runs: [] });
    expect(warnings.at(-1)).toMatch(/empty\.jsonl: contains no run$/);
  });

  test.each(EMPTY)('%s: an error only where no other file has a run', async (_, content) => {
    const empty = write('empty.jsonl', content);
    await expect(read(empty)).rejects.toMatchObject({
      name: 'RecordingError',
      message: expect.stringContaining('no recorded run'),
    });
    expect(await read(empty, write('full.jsonl', linesOf(run('a'))))).toMatchObject({ found: [{ id: 'a' }] });
  });
});

test('a file that does not exist is an error that names it', async () => {
  const reading = readRecording(join(folder, 'none.jsonl'), () => {});
  await expect(reading).rejects.toMatchObject({
    name: 'RecordingError',
    message: expect.stringContaining('none.jsonl'),
  });
});

test('the duration is the time in training, also where an attempt is started twice', async () => {
  const durationOf = async (...lines: object[]) =>
    (await readRecording(write('timed.jsonl', linesOf(...lines)), () => {})).runs.map(({ duration }) => duration);
  const start = (startedAt: number, attempt = 1) => run('a', { startedAt, attempt });
  const at = (time?: number) => step(0, { time });
  expect(await durationOf(start(1e12), at(1e12 + 5), at(), at(1e12 + 7))).toEqual([7]);
  expect(await durationOf(start(1e12), at(1e12 + 5), start(2e12), at(2e12 + 2))).toEqual([7]);
  expect(await durationOf(start(1e12), at(1e12 + 5), start(2e12, 2), { ...finish, endedAt: 2e12 + 2 })).toEqual([5, 2]);
  expect(await durationOf(run('a'), at(3), at(9))).toEqual([6]);
  expect(await durationOf(start(1e12), at(3), at(9))).toEqual([6]);
});

test('a second line of the same attempt continues it', async () => {
  const file = write('twice.jsonl', linesOf(run('a'), step(0), finish, run('a'), step(0), step(1)));
  expect(await read(file)).toMatchObject({ found: [{ steps: [0, 0, 1], ended: null }] });
});

test('what is written while it is read is not read, and what is gone is missed', async () => {
  const file = write('live.jsonl', linesOf(run('a'), step(0)));
  const steps = async () => {
    const found = [];
    for await (const { runs } of readRecordings([file], () => {})) {
      write('live.jsonl', text);
      for await (const { step: number } of runs[0]?.readSteps() ?? []) found.push(number);
    }
    return found;
  };
  let text = linesOf(run('a'), step(0), step(1));
  expect(await steps()).toEqual([0]);
  text = linesOf(run('a'));
  await expect(steps()).rejects.toThrow(/live\.jsonl: was truncated/);
});

describe('names and patterns', () => {
  const one = (id: string) => linesOf(run(id), step(0));
  const ids = async (...patterns: string[]) => (await read(...patterns)).found.map(({ id }) => id);

  test('a pattern is in the order of names, and a file comes once', async () => {
    for (const id of ['b', 'a', 'c']) write(`${id}.jsonl`, one(id));
    const { found } = await read(join(folder, '*.jsonl'));
    expect(found.map(({ id, file }) => [id, file])).toEqual(
      ['a', 'b', 'c'].map((id) => [id, join(folder, `${id}.jsonl`)]),
    );
    expect(await ids(join(folder, 'c.jsonl'), join(folder, '{a,c}.jsonl'))).toEqual(['c', 'a']);
  });

  test('a name with the characters of a pattern stands for its file', async () => {
    write('[ab].jsonl', one('brackets'));
    write('a.jsonl', one('a'));
    expect(await ids(join(folder, '[ab].jsonl'))).toEqual(['brackets']);
  });

  test.each(['none.jsonl', '*.gz', ''])('"%s" without a file is an error', async (name) => {
    await expect(read(join(folder, name))).rejects.toMatchObject({ name: 'RecordingError' });
  });
});

describe('errors name file, line and field', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['no JSON', `${linesOf(run('a'))}{"type"\n${linesOf(step(0))}`, /:2: not a line of JSON/],
    ['a field', linesOf(run('a'), step(0), step(1, { layerGradVar: [1, 'x'] })), /:3: layerGradVar\[1\]: expected/],
    ['a step first', linesOf(step(0), run('a')), /:1: type: a step before any run/],
    ['a step after the end', linesOf(run('a'), finish, step(0)), /:3: type: a step after the run's finish/],
    ['layers', linesOf(run('a', { layers: ['x'] }), step(0, { layerOutVar: [1, 2] })), /:2: layerOutVar: has 2 val/],
    [
      'layers that change',
      linesOf(run('a'), step(0, { layerGradVar: [1] }), step(1, { layerGradVar: [1, 2] })),
      /:3: layerGradVar: has 2 values, but the run has 1/,
    ],
    [
      'too many scalars',
      linesOf(
        run('a'),
        ...Array.from({ length: MAX_CUSTOM_SCALARS + 1 }, (_, at) => step(at, { custom: { [`s${at}`]: 1 } })),
      ),
      new RegExp(`:${MAX_CUSTOM_SCALARS + 2}: custom: .*${MAX_CUSTOM_SCALARS}`),
    ],
    ['no text', Buffer.from([...Buffer.from(linesOf(run('a'))), 0xff, 0x0a]), /:2: not UTF-8/],
    ['an endless line', Buffer.alloc(MAX_FRAME_BYTES + 1, 'x'), /:1: longer than any line/],
  ])('%s', async (_, content, message) => {
    await expect(read(write('bad.jsonl', content))).rejects.toMatchObject({
      name: 'RecordingError',
      message: expect.stringMatching(new RegExp(`bad\\.jsonl${message.source}`)),
    });
  });

  test('blank lines without end, plain or compressed', async () => {
    const blanks = (count: number) => `${linesOf(run('a'))}${'\n'.repeat(count)}${linesOf(step(0))}`;
    expect(await read(write('few.jsonl', blanks(1_000)))).toMatchObject({ found: [{ steps: [0] }] });
    await expect(read(write('many.jsonl', blanks(1_001)))).rejects.toMatchObject({
      name: 'RecordingError',
      message: expect.stringMatching(/many\.jsonl:1002: more than 1000 blank lines in a row/),
    });
    const packed = write('many.jsonl.gz', gzipSync(Buffer.alloc(20_000_000, '\n')));
    await expect(read(packed)).rejects.toThrow(/many\.jsonl\.gz:1001: more than 1000 blank lines in a row/);
  });

  test('a small compressed file that becomes gigabytes, a valid line at a time', async () => {
    const line = `${JSON.stringify(run('a', { notes: ' '.repeat(60_000) }))}\n`;
    const member = gzipSync(line.repeat(300));
    const file = write('bomb.jsonl.gz', member);
    await expect(read(file)).rejects.toMatchObject({
      name: 'RecordingError',
      message: expect.stringMatching(/bomb\.jsonl\.gz:2\d\d: compressed more than 600 to 1, as no recording is/),
    });
  });

  test('the most that real steps compress is no such file: 512 layers of nothing but NaN', async () => {
    const nan = Array.from({ length: 512 }, () => 'NaN');
    const lines = Array.from({ length: 3_000 }, (_, at) =>
      step(at, { time: at * 137, loss: 'NaN', layerGradVar: nan, layerOutVar: nan }),
    );
    const text = linesOf(run('a'), ...lines);
    expect(text.length).toBeGreaterThan(17_000_000);
    const { found } = await read(write('nan.jsonl.gz', gzipSync(text, { level: 9 })));
    expect(found[0]?.steps).toHaveLength(3_000);
  });

  test('compression that is broken', async () => {
    const packed = gzipSync(linesOf(...MANY));
    await expect(read(write('cut.jsonl.gz', packed.subarray(0, -9)))).rejects.toThrow(/cut\.jsonl\.gz: unexpected end/);
    await expect(read(write('not.jsonl.gz', linesOf(...MANY)))).rejects.toThrow(/not\.jsonl\.gz: incorrect header/);
  });
});

test('the runs that come with the command are read, with names for their layers', async () => {
  const files = readdirSync(COMMITTED_RUNS).sort();
  expect(files.length).toBeGreaterThan(0);
  const expected = files.map((file) => {
    const lines = gunzipSync(readFileSync(join(COMMITTED_RUNS, file)))
      .toString()
      .trim()
      .split('\n');
    const { id, config } = JSON.parse(lines[0] ?? '');
    const blocks = Array.from({ length: config.model.layers }, (_, at) => `block ${at + 1}`);
    const steps = lines.filter((line) => line.startsWith('{"type":"step"')).length;
    return { id, steps, layers: ['embedding', ...blocks, 'head'] };
  });
  const found = [];
  for await (const { runs } of readRecordings([join(COMMITTED_RUNS, '*.gz')], () => {})) {
    for (const { start, steps, layers } of runs) found.push({ id: start.id, steps, layers });
  }
  expect(found).toEqual(expected);
});
