import { decodeSteps, encodeSteps, MAX_BATCH_STEPS, mergeStep, type StepEvent } from '@evenkeel/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_BATCH_BYTES } from './batch-size.ts';
import { Outbox, type Overflow } from './outbox.ts';
import { splitStep } from './step-size.ts';
import { range } from './testing.ts';

const plain = (step: number): StepEvent => ({ step, time: 0, loss: 1 });
const numbers = (batch: readonly StepEvent[] | null) => batch?.map(({ step }) => step);

function filled(count: number, make = plain): Outbox {
  const outbox = new Outbox();
  for (let step = 0; step < count; step++) outbox.add(make(step));
  return outbox;
}

test('a batch stays the same until it is acknowledged', () => {
  const outbox = filled(2);
  const first = numbers(outbox.nextBatch());
  outbox.add(plain(2));
  expect(numbers(outbox.nextBatch())).toEqual(first);
  expect(first).toEqual([0, 1]);
  expect(outbox.pending).toBe(3);
  outbox.acknowledge();
  expect(numbers(outbox.nextBatch())).toEqual([2]);
  outbox.acknowledge();
  expect(outbox.nextBatch()).toBeNull();
  expect(outbox.pending).toBe(0);
});

test('a refused batch is lost and does not come again', () => {
  const outbox = filled(1);
  outbox.nextBatch();
  outbox.add(plain(1));
  outbox.refuse();
  expect(numbers(outbox.nextBatch())).toEqual([1]);
  expect(outbox.lost).toBe(1);
});

test('a live batch has at most 64 steps, one that catches up 4,096', () => {
  expect(filled(200).nextBatch()).toHaveLength(64);
  expect(filled(10_000).nextBatch()).toHaveLength(MAX_BATCH_STEPS);
});

const RUN = '01990000-0000-7000-8000-000000000000';
const frameOf = (steps: readonly StepEvent[]) => encodeSteps({ run: RUN, attempt: 1, steps: [...steps] });

test('the widest steps make frames below 1 MiB', () => {
  const custom = Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`${'😀'.repeat(497)}${100 + at}`, at]));
  const layers = Array.from({ length: 512 }, (_, at) => at);
  const widest = (step: number): StepEvent => ({ ...plain(step), layerGradVar: layers, layerOutVar: layers });
  for (const make of [
    widest,
    (step: number) => ({ ...widest(step), custom }),
    (step: number) => ({ ...plain(step), custom }),
  ]) {
    const steps = filled(1_000, make).nextBatch() ?? [];
    expect(steps.length).toBeGreaterThan(1);
    expect(frameOf(steps).byteLength).toBeLessThan(1024 * 1024);
  }
});

test('a step with 10,000 names of 500 characters goes out as reports of the same step, each in a frame below 1 MiB', () => {
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`${'é'.repeat(495)}${10_000 + at}`, at]));
  const outbox = filled(1, () => ({ step: 7, time: 3, loss: 2, layerGradVar: [1, 2], custom: wide }));
  const received: StepEvent[] = [];
  for (let steps = outbox.nextBatch(); steps; steps = outbox.nextBatch()) {
    const frame = frameOf(steps);
    expect(frame.byteLength).toBeLessThan(1024 * 1024);
    received.push(...decodeSteps(frame).steps);
    outbox.acknowledge();
  }
  expect(received.length).toBeGreaterThan(9);
  const merged = received.reduce((former, later) => mergeStep(former, later));
  expect(merged).toEqual({ step: 7, time: 3, loss: 2, layerGradVar: [1, 2], custom: wide });
});

test('a step is cut only where it is too wide, and merges to what it was', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 300 }), { maxLength: 80 });
  fc.assert(
    fc.property(names, fc.integer({ min: 1_500, max: 20_000 }), (names, maxBytes) => {
      const custom = Object.fromEntries(names.filter((name) => name !== '__proto__').map((name, at) => [name, at]));
      const step: StepEvent = { step: 1, time: 2, loss: 3, custom };
      const parts = splitStep(step, maxBytes);
      expect(parts.reduce((former, later) => mergeStep(former, later))).toEqual(step);
      const sizes = parts.map((part) => frameOf([part]).byteLength - 30);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxBytes);
      if (frameOf([step]).byteLength - 30 <= maxBytes) expect(parts).toHaveLength(1);
    }),
  );
  expect(splitStep(plain(1), MAX_BATCH_BYTES)).toEqual([plain(1)]);
});

test('a batch stays within the bytes it may take, and has one step however large', () => {
  const step = (at: number): StepEvent => ({
    ...plain(at),
    layerGradVar: [1, 2, 3],
    custom: { accuracy: 0.5, 'größe/😀': 1 },
  });
  for (const max of [1, 100, 1_000, 10_000, 50_000]) {
    const steps = filled(1_000, step).nextBatch(max) ?? [];
    const encoded = (batch: StepEvent[]) =>
      encodeSteps({ run: '01990000-0000-7000-8000-000000000000', attempt: 1, steps: batch }).byteLength - 30;
    expect(steps.length === 1 || encoded(steps) <= max).toBe(true);
    expect(encoded([...steps, step(1_000)])).toBeGreaterThan(max);
  }
});

test('steps of a recalled batch are cut again, ahead of all others', () => {
  const outbox = filled(300);
  expect(numbers(outbox.nextBatch(1_000))).toHaveLength(35); // 28 bytes a step
  outbox.add(plain(300));
  outbox.recall();
  expect(outbox.pending).toBe(301);
  expect(numbers(outbox.nextBatch(100))).toEqual([0, 1, 2]);
  outbox.acknowledge();
  expect(numbers(outbox.nextBatch(100))).toEqual([3, 4, 5]);
});

test('a full buffer drops the oldest waiting step and keeps the batch in flight', () => {
  const outbox = new Outbox({ steps: 4, bytes: 2 ** 20 });
  expect(outbox.add(plain(0))).toBe(true);
  outbox.nextBatch();
  for (const step of [1, 2, 3]) outbox.add(plain(step));
  expect(outbox.add(plain(4))).toBe(false);
  expect([outbox.pending, outbox.lost]).toEqual([4, 1]);
  expect(numbers(outbox.nextBatch())).toEqual([0]);
  outbox.acknowledge();
  expect(numbers(outbox.nextBatch())).toEqual([2, 3, 4]);
});

test('a buffer is bounded in bytes too', () => {
  const outbox = new Outbox({ steps: 1_000_000, bytes: 100_000 });
  const values = Array.from({ length: 512 }, () => 1);
  for (let step = 0; step < 100; step++) outbox.add({ ...plain(step), layerGradVar: values });
  expect(outbox.pending).toBeLessThanOrEqual(Math.floor(100_000 / (512 * 8)));
  expect(outbox.pending).toBeGreaterThan(10);
  expect(outbox.lost).toBe(100 - outbox.pending);
});

test('whatever happens, every step is delivered, lost or pending, in order and once', () => {
  const act = fc.constantFrom('add', 'add', 'add', 'send', 'acknowledge', 'refuse', 'recall');
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (acts, steps) => {
      const outbox = new Outbox({ steps, bytes: 2 ** 20 });
      const delivered: number[] = [];
      let added = 0;
      let inFlight: number[] = [];
      for (const what of acts) {
        if (what === 'add') outbox.add(plain(added++));
        if (what === 'send') inFlight = numbers(outbox.nextBatch()) ?? [];
        if (what === 'acknowledge') delivered.push(...inFlight);
        if (what === 'acknowledge') outbox.acknowledge();
        if (what === 'refuse') outbox.refuse();
        if (what === 'recall') outbox.recall();
        if (what !== 'add' && what !== 'send') inFlight = [];
      }
      expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b));
      expect(delivered.length + outbox.lost + outbox.pending).toBe(added);
      expect(outbox.pending).toBeLessThanOrEqual(steps);
    }),
  );
});

/** Takes so many steps, and gives back three at a time. */
function shelf(room: number): Overflow & { room: number } {
  const steps: StepEvent[] = [];
  return {
    room,
    get length() {
      return steps.length;
    },
    put(step) {
      if (steps.length >= this.room) return false;
      steps.push(step);
      return true;
    },
    take: () => steps.splice(0, 3),
  };
}

test('with an overflow, whatever happens, every step is delivered in order, or the newest are dropped', () => {
  const act = fc.constantFrom('add', 'add', 'add', 'send', 'acknowledge', 'recall');
  fc.assert(
    fc.property(fc.array(act, { maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (acts, steps) => {
      const outbox = new Outbox({ steps, bytes: 2 ** 20 });
      outbox.spillInto(shelf(30));
      const delivered: number[] = [];
      const kept: number[] = [];
      let added = 0;
      for (const what of acts) {
        if (what === 'add' && outbox.add(plain(added++))) kept.push(added - 1);
        if (what === 'send') outbox.nextBatch();
        if (what === 'recall') outbox.recall();
        if (what === 'acknowledge') delivered.push(...(numbers(outbox.nextBatch()) ?? []));
        if (what === 'acknowledge') outbox.acknowledge();
        expect(outbox.buffered).toBeLessThanOrEqual(steps + 3);
        expect(delivered.length + outbox.lost + outbox.pending).toBe(added);
      }
      for (let batch = outbox.nextBatch(); batch; batch = outbox.nextBatch()) {
        delivered.push(...batch.map(({ step }) => step));
        outbox.acknowledge();
      }
      if (outbox.lost === 0) expect(delivered).toEqual(kept);
      expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b));
      expect(delivered.length + outbox.lost).toBe(added);
    }),
  );
});

test('the newest steps in memory are given with those in flight', () => {
  const outbox = filled(10);
  outbox.nextBatch(100);
  expect(numbers(outbox.newest(3))).toEqual([7, 8, 9]);
  expect(numbers(outbox.newest(9))).toEqual(range(1, 10));
  expect(numbers(outbox.newest(99))).toEqual(range(0, 10));
  expect(outbox.newest(0)).toEqual([]);
});
