import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSteps, encodeSteps } from './codec.ts';
import {
  MAX_ATTEMPT,
  MAX_BATCH_STEPS,
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  MAX_SCALAR_NAME_LENGTH,
  MAX_STEP,
  MAX_TIME,
  MIN_STEP,
} from './limits.ts';
import { parse, RefusedError } from './refusal.ts';
import { type StepBatch, type StepEvent, stepBatch } from './step.ts';
import { CUSTOM_BIT, SCALAR_FIELDS, STEP_FIELDS, TEV_QUANTILE_COUNT } from './step-fields.ts';

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';

const number = fc.oneof(
  { weight: 5, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 5e-324, 1e308, 2 ** -149, 3.5e38) },
);
const scalar = fc.option(number, { freq: 2 });
const layers = fc.option(fc.array(number, { maxLength: 12 }));
const scalarName = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('eval', 'eval/λ', '\ufeff', '\ufeffeval', 'toString') },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((name) => name !== '__proto__'),
  },
);
const stepArbitrary: fc.Arbitrary<StepEvent> = fc.record(
  {
    step: fc.oneof(fc.integer(), fc.constantFrom(0, MIN_STEP, MAX_STEP)),
    time: fc.oneof(fc.double({ min: 0, max: MAX_TIME, noNaN: true }), fc.constant(MAX_TIME)),
    ...Object.fromEntries(SCALAR_FIELDS.map(({ name }) => [name, scalar])),
    tokens: fc.option(fc.maxSafeNat()),
    tevQuantiles: fc.option(fc.array(number, { minLength: TEV_QUANTILE_COUNT, maxLength: TEV_QUANTILE_COUNT })),
    layerGradVar: layers,
    layerOutVar: layers,
    custom: fc.option(fc.dictionary(scalarName, number, { maxKeys: 5, noNullPrototype: true })),
  },
  { requiredKeys: ['step', 'time'] },
);
const batchArbitrary: fc.Arbitrary<StepBatch> = fc.record({
  run: fc.uuid({ version: 7 }),
  attempt: fc.integer({ min: 1, max: MAX_ATTEMPT }),
  steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 8 }),
});

/** What a batch becomes on its way: null is absent, arrays have float32 precision. */
function carried(batch: StepBatch): StepBatch {
  const steps = batch.steps.map((step) => {
    const present = Object.entries(step).filter(([, value]) => value !== null && value !== undefined);
    const rounded = present.map(([name, value]) => [name, Array.isArray(value) ? value.map(Math.fround) : value]);
    return Object.fromEntries(rounded) as StepEvent;
  });
  return { ...batch, steps };
}

/** As a client without a binary writer sends it, through JSON text. */
function asJson(batch: StepBatch): unknown {
  const text = JSON.stringify(batch, (_, value) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
  return JSON.parse(text);
}

/** The field of the refusal, or null where the frame is taken; anything else thrown fails the test. */
function refusedField(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    expect(error.message).not.toBe('');
    expect(error.retry).toBe(false);
    return error.field;
  }
}

describe('a batch', () => {
  test('comes out of its frame as it went in', () => {
    fc.assert(
      fc.property(batchArbitrary, (batch) => {
        expect(decodeSteps(encodeSteps(batch))).toEqual(carried(batch));
      }),
      { numRuns: 1_000 },
    );
  });

  test('means the same in JSON', () => {
    const positiveZero = (value: unknown) => JSON.parse(JSON.stringify(value, (_, part) => (part === 0 ? 0 : part)));
    fc.assert(
      fc.property(batchArbitrary, (batch) => {
        const json = asJson(carried(parse(stepBatch, asJson(batch))));
        expect(positiveZero(json)).toEqual(positiveZero(asJson(decodeSteps(encodeSteps(batch)))));
      }),
      { numRuns: 1_000 },
    );
  });

  test('keeps the sign of zero and the float32 limits of arrays', () => {
    const step = { step: 0, time: 0, loss: -0, layerGradVar: [-0, 1e39, 2 ** -149, 2 ** -151] };
    const [decoded] = decodeSteps(encodeSteps({ run: RUN, attempt: 1, steps: [step] })).steps;
    expect(decoded).toEqual({ step: 0, time: 0, loss: -0, layerGradVar: [-0, Infinity, 2 ** -149, 0] });
  });

  test('is read from the middle of a larger buffer, as sockets deliver it', () => {
    const batch = { run: RUN, attempt: 1, steps: [{ step: 1, time: 2, loss: 3 }] };
    const frame = encodeSteps(batch);
    const larger = new Uint8Array(frame.length + 20).fill(0xff);
    larger.set(frame, 7);
    expect(decodeSteps(larger.subarray(7, 7 + frame.length))).toEqual(batch);
  });

  test('at every limit at once is taken', () => {
    const names = Array.from(
      { length: MAX_CUSTOM_SCALARS },
      (_, at) => String(at).padStart(4, '0') + '😀'.repeat(at % 100 ? 6 : MAX_SCALAR_NAME_LENGTH - 4),
    );
    const full: StepEvent = {
      step: MAX_STEP,
      time: MAX_TIME,
      tokens: Number.MAX_SAFE_INTEGER,
      layerGradVar: Array(MAX_LAYERS).fill(1),
      custom: Object.fromEntries(names.map((name, at) => [name, at])),
    };
    const steps = Array.from({ length: MAX_BATCH_STEPS - 1 }, (_, step) => ({ step, time: 0 }));
    const batch: StepBatch = { run: RUN, attempt: MAX_ATTEMPT, steps: [...steps, full] };
    expect(decodeSteps(encodeSteps(batch))).toEqual(batch);
    expect(parse(stepBatch, asJson(batch))).toEqual(batch);
  });

  test('with more distinct custom names than a run may have is not written', () => {
    const names = (from: number) => Array.from({ length: 6_000 }, (_, at) => [`m${from + at}`, 1] as const);
    const steps = [0, 6_000].map((from, step) => ({ step, time: 0, custom: Object.fromEntries(names(from)) }));
    expect(() => encodeSteps({ run: RUN, attempt: 1, steps })).toThrow(RefusedError);
  });
});

const oneStep = (step: Record<string, unknown>, attempt = 1): StepBatch => ({
  run: RUN,
  attempt,
  steps: [{ step: 0, time: 0, ...step }],
});

describe('a value that breaks a limit is refused by its field, in binary and in JSON', () => {
  const cases: [string, StepBatch][] = [
    ['attempt', oneStep({}, 0)],
    ['attempt', oneStep({}, MAX_ATTEMPT + 1)],
    ...[MIN_STEP - 1, 0.5, MAX_STEP + 1, Number.NaN, Infinity].map((step): [string, StepBatch] => [
      'steps[0].step',
      oneStep({ step }),
    ]),
    ...[-1, MAX_TIME + 1, Number.NaN, Infinity].map((time): [string, StepBatch] => [
      'steps[0].time',
      oneStep({ time }),
    ]),
    ...[-1, 0.5, 2 ** 53, Number.NaN, Infinity].map((tokens): [string, StepBatch] => [
      'steps[0].tokens',
      oneStep({ tokens }),
    ]),
    ['steps[0].tevQuantiles', oneStep({ tevQuantiles: Array(8).fill(0) })],
    ['steps[0].tevQuantiles', oneStep({ tevQuantiles: Array(10).fill(0) })],
    ['steps[0].layerGradVar', oneStep({ layerGradVar: Array(MAX_LAYERS + 1).fill(0) })],
    ['steps[0].layerOutVar', oneStep({ layerOutVar: Array(MAX_LAYERS + 1).fill(0) })],
  ];
  test.each(cases)('%s', (field, batch) => {
    expect(refusedField(() => decodeSteps(encodeSteps(batch)))).toBe(field);
    expect(refusedField(() => parse(stepBatch, batch))).toBe(field);
  });

  test('the number of steps', () => {
    for (const length of [0, MAX_BATCH_STEPS + 1]) {
      const batch = { run: RUN, attempt: 1, steps: Array.from({ length }, (_, step) => ({ step, time: 0 })) };
      expect(refusedField(() => decodeSteps(encodeSteps(batch)))).toBe('count');
      expect(refusedField(() => parse(stepBatch, batch))).toBe('steps');
    }
  });

  test.each([
    ['empty', ''],
    ['too long', 'x'.repeat(MAX_SCALAR_NAME_LENGTH + 1)],
    ['with a NUL', 'a\0b'],
  ])('a custom name that is %s', (_, name) => {
    const batch = oneStep({ custom: { [name]: 1 } });
    expect(refusedField(() => decodeSteps(encodeSteps(batch)))).toMatch(/^custom\[0\]/);
    expect(refusedField(() => parse(stepBatch, batch))).toMatch(/^steps\[0\]\.custom/);
  });

  test.each([
    ['steps[0].loss', { loss: 'nan' }],
    ['steps[0].loss', { loss: true }],
    ['steps[0].layerGradVar[1]', { layerGradVar: [1, null] }],
    ['steps[0].layerGradVar', { layerGradVar: 'none' }],
    ['steps[0].custom.eval', { custom: { eval: 'good' } }],
    ['steps[0].custom', { custom: Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [`m${at}`, 1])) }],
  ])('%s in JSON, where there are types to get wrong', (field, step) => {
    expect(refusedField(() => parse(stepBatch, oneStep(step)))).toBe(field);
  });
});

/** A frame whose every byte is known: see the layout in README.md. */
const frame = () => encodeSteps(oneStep({ layerGradVar: [1, 2], custom: { a: 1, b: 2 } }));
const NAMES = 30;
const STEP = NAMES + 2 * 3;
const LAYERS = STEP + 20;
const CUSTOM = LAYERS + 2 + 2 * 4;
const HIGHEST_BIT = Math.max(CUSTOM_BIT, ...STEP_FIELDS.map(({ bit }) => bit));

describe('a damaged frame is refused by its field', () => {
  const u16 = (at: number, value: number) => (view: DataView) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => (view: DataView) => view.setUint32(at, value, true);
  const byte = (at: number, value: number) => (view: DataView) => view.setUint8(at, value);
  test.each<[string, string, (view: DataView) => void]>([
    ['magic', 'magic', byte(0, 0)],
    ['version', 'a later version', u16(4, 3)],
    ['version', 'a version before the first', u16(4, 0)],
    ['count', 'no steps', u16(6, 0)],
    ['count', 'too many steps', u16(6, MAX_BATCH_STEPS + 1)],
    ['steps[1].step', 'a step that is not there', u16(6, 2)],
    ['custom', 'too many names', u16(28, MAX_CUSTOM_SCALARS + 1)],
    ['custom', 'a name that stands twice', byte(NAMES + 5, 'a'.charCodeAt(0))],
    ['custom[1]', 'a name that is not UTF-8', byte(NAMES + 5, 0xff)],
    ['custom[1]', 'a name that runs beyond the end', u16(NAMES + 3, 60_000)],
    ['steps[0].presence', 'an unknown bit', u32(STEP + 16, 2 ** (HIGHEST_BIT + 1))],
    ['', 'extra bytes', u16(STEP + 16, 1 << 8)],
    ['steps[0].layerGradVar', 'an array that runs beyond the end', u16(LAYERS, 500)],
    ['steps[0].custom', 'more scalars than names', u16(CUSTOM, 3)],
    ['steps[0].custom', 'a scalar without a name', u16(CUSTOM + 2, 2)],
  ])('%s: %s', (field, _, damage) => {
    const bytes = frame();
    expect(refusedField(() => decodeSteps(bytes))).toBeNull();
    damage(new DataView(bytes.buffer));
    expect(refusedField(() => decodeSteps(bytes))).toBe(field);
  });

  test('every truncation, and one byte too many', () => {
    const bytes = frame();
    for (let length = 0; length < bytes.length; length++) {
      expect(refusedField(() => decodeSteps(bytes.slice(0, length)))).toMatch(
        /^(magic|version|count|run|attempt|custom|steps)/,
      );
    }
    expect(refusedField(() => decodeSteps(Uint8Array.of(...bytes, 0)))).toBe('');
  });
});

describe('whatever bytes come, they are refused or keep to the schema', () => {
  function check(bytes: Uint8Array): void {
    let batch: StepBatch | undefined;
    const field = refusedField(() => {
      batch = decodeSteps(bytes);
    });
    if (field === null) expect(stepBatch.shape.steps.safeParse(batch?.steps).success).toBe(true);
  }

  test('random bytes, also behind a right header', () => {
    const header = frame().slice(0, 28);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400, size: 'max' }), fc.boolean(), (bytes, begun) =>
        check(begun ? Uint8Array.of(...header, ...bytes) : bytes),
      ),
      { numRuns: 4_000 },
    );
  });

  test('every flip of one bit', () => {
    const whole = encodeSteps({
      run: RUN,
      attempt: 1,
      steps: [
        { step: 1, time: 2, loss: 3, tokens: 4, tevQuantiles: Array(9).fill(1) },
        ...oneStep({ layerGradVar: [1, 2], custom: { a: 1, λ: 2 } }).steps,
      ],
    });
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      check(bytes);
    }
  });

  test('random frames with random damage', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(batchArbitrary, damage, fc.nat(), (batch, changes, cut) => {
        const bytes = encodeSteps(batch);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        check(cut % 3 ? bytes : bytes.slice(0, cut % bytes.length));
      }),
      { numRuns: 4_000 },
    );
  });
});

const fixture = (file: string) => readFileSync(new URL(`../fixtures/${file}`, import.meta.url));

describe('a frame of an earlier version is read as it was meant', () => {
  test.each([1, 2])('version %i', (version) => {
    const bytes = fixture(`batch.v${version}.bin`);
    expect(new DataView(bytes.buffer, bytes.byteOffset).getUint16(4, true)).toBe(version);
    const json = parse(stepBatch, JSON.parse(fixture(`batch.v${version}.json`).toString()));
    expect(decodeSteps(bytes)).toEqual(carried(json));
  });
});

test('what is written is the newest version, byte for byte', () => {
  const bytes = fixture('batch.v2.bin');
  expect(Buffer.from(encodeSteps(decodeSteps(bytes))).equals(bytes)).toBe(true);
});

test('each bit has the value that the specification gives it', () => {
  const values = STEP_FIELDS.map(({ name, kind }) => {
    const value = name === 'tevQuantiles' ? Array(9).fill(1) : kind === 'array' ? [1] : 1;
    return new DataView(encodeSteps(oneStep({ [name]: value })).buffer).getUint32(46, true);
  });
  expect(values).toEqual(STEP_FIELDS.map(({ bit }) => 2 ** bit));
});
