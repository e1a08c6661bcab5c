import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, inject, test } from 'vitest';
import { decodeSteps, encodeSteps } from './codec.ts';
import * as limits from './limits.ts';
import { readRecordedLine, writeRecordedLine } from './recording.ts';
import { parse } from './refusal.ts';
import { type StepBatch, type StepEvent, stepBatch } from './step.ts';
import { ARRAY_FIELDS, arrayLengths, CUSTOM_BIT, SCALAR_FIELDS, STEP_FIELDS } from './step-fields.ts';

// The specification is what clients in other languages are written from, so it is held to the code.
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

const FIXTURES = new URL('../fixtures/', import.meta.url);

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(readme)?.[1];
  if (!found) throw new Error(`README.md has no block of ${language}`);
  return found;
}

const EXAMPLE: StepBatch = {
  run: '01890a5d-ac96-774b-bcce-b302099a8057',
  attempt: 3,
  steps: [
    { step: 0, time: 1_700_000_000_000, loss: Number.NaN },
    {
      step: 1,
      time: 1_700_000_000_250.5,
      loss: 5.5,
      lr: 0.001,
      tokens: 4096,
      layerGradVar: [1.5, Number.POSITIVE_INFINITY],
      custom: { 'eval/λ': -0.25 },
    },
  ],
};

/** A value of each of these fields, chosen by its bit. */
function valuesOf(fields: readonly (typeof STEP_FIELDS)[number][]): Partial<StepEvent> {
  return Object.fromEntries(
    fields.map(({ name, kind, bit }) => {
      if (kind !== 'array') return [name, bit];
      return [name, Array(arrayLengths(name, 2)[1]).fill(bit)];
    }),
  );
}

test('the example is the frame that is printed, byte for byte', () => {
  const frame = Buffer.from(block('hex').replaceAll(/\s/g, ''), 'hex');
  expect(Buffer.from(encodeSteps(EXAMPLE)).toString('hex')).toBe(frame.toString('hex'));
  expect(decodeSteps(frame)).toEqual(EXAMPLE);
});

test('the example of a recording is read, and written as it is printed', () => {
  const lines = block('jsonl').trim().split('\n');
  expect(lines.map((line) => readRecordedLine(line).type)).toEqual(['run', 'step', 'step', 'finish']);
  for (const line of lines) {
    expect(JSON.parse(writeRecordedLine(readRecordedLine(line)))).toMatchObject(JSON.parse(line));
  }
});

test('the limits are those of the code', () => {
  const rows = readme.matchAll(/^\|[^|\n]*\| (-?[\d,]+) *\| `(M(?:AX|IN)_\w+)` *\|$/gm);
  const written = Array.from(rows, ([, value, name]) => [name, Number(value?.replaceAll(',', ''))]);
  expect(Object.fromEntries(written)).toEqual({ ...limits });
});

test('the fields of a step, their bits and their order are those of the code', () => {
  const section = readme.slice(readme.indexOf('## A step batch'));
  const rows = section.matchAll(/^\|[^|]*\|[^|]*\| +([^|]*?) +\| +(\w+) +\| bit (\d+) /gm);
  const written = Array.from(rows, ([, type, name, bit]) => [
    name,
    Number(bit),
    type?.startsWith('u16') ? 'array' : 'scalar',
  ]);
  const fields = [...SCALAR_FIELDS, ...ARRAY_FIELDS].map(({ name, bit, kind }) => [
    name,
    bit,
    kind === 'array' ? kind : 'scalar',
  ]);
  expect(written).toEqual([...fields, ['custom', CUSTOM_BIT, 'array']]);
  for (const { name } of STEP_FIELDS) expect(readme).toMatch(new RegExp(`^\\|[^|]*\`${name}\`[^|]*\\|`, 'm'));
});

const python = inject('python');
describe.skipIf(!python)('the writer in Python', () => {
  const FORMAT = 'import json, sys\nfor line in sys.stdin: print(encode_steps(json.loads(line)).hex())';
  const encode = (batches: readonly unknown[]): Buffer[] => write(batches.map((batch) => JSON.stringify(batch, words)));
  const write = (lines: readonly string[]): Buffer[] => {
    const input = lines.join('\n');
    const output = execFileSync(python ?? '', ['-c', `${block('python')}\n${FORMAT}`], { input, encoding: 'utf8' });
    return output
      .trim()
      .split('\n')
      .map((hex) => Buffer.from(hex, 'hex'));
  };
  const words = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

  test('writes the example, and what this side reads', () => {
    const all: StepBatch = {
      run: EXAMPLE.run,
      attempt: 1_000_000,
      steps: [
        { step: 0, time: 0 },
        { step: 1, time: 1, ...valuesOf(SCALAR_FIELDS) },
        { step: 2, time: 2, ...valuesOf(ARRAY_FIELDS) },
        { step: 3, time: 3, layerGradVar: [], layerOutVar: [0.5, -Infinity] },
        { step: 2 ** 40, time: 3.25, custom: { a: 1, 'é😀': Number.NaN } },
        { step: 4, time: 4, custom: { b: 2, a: -Infinity } },
      ],
    };
    const [example, frame] = encode([EXAMPLE, all]);
    expect(example?.toString('hex')).toBe(Buffer.from(encodeSteps(EXAMPLE)).toString('hex'));
    expect(decodeSteps(frame ?? new Uint8Array())).toEqual(all);
    expect(frame?.toString('hex')).toBe(Buffer.from(encodeSteps(all)).toString('hex'));
  });

  test('writes the fixtures, the newest frame byte for byte', () => {
    const files = readdirSync(FIXTURES).filter((file) => /^(steps|batch)\b.*\.json$/.test(file));
    const texts = files.map((file) => readFileSync(new URL(file, FIXTURES), 'utf8'));
    const frames = write(texts.map((text) => text.replaceAll('\n', '')));
    const batches = texts.map((text) => parse(stepBatch, JSON.parse(text)));
    expect(frames.map((frame) => decodeSteps(frame))).toEqual(batches);
    expect(frames[files.indexOf('batch.v2.json')]).toEqual(readFileSync(new URL('batch.v2.bin', FIXTURES)));
  });

  test('what float32 cannot hold is infinite, null is absent', () => {
    const steps = [{ step: 0, time: 0, loss: null, layerGradVar: [1e39, -1e300, 0.1], custom: null }];
    const [frame] = encode([{ run: EXAMPLE.run, attempt: 1, steps }]);
    const expected = { step: 0, time: 0, layerGradVar: [Infinity, -Infinity, Math.fround(0.1)] };
    expect(decodeSteps(frame ?? new Uint8Array()).steps).toEqual([expected]);
  });
});
