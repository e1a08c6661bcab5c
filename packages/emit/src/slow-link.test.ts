import { encodeSteps } from '@evenkeel/protocol';
import { expect, test, vi } from 'vitest';
import type { StepInput } from './public.ts';
import { SlowLink } from './slow-link.ts';
import { IngestServer, openTestRun, range, settled } from './testing.ts';

const layers = range(0, 12).map((layer) => `h.${layer}`);

/** A step as a small language model logs it: 234 bytes on the wire. */
const typical = (step: number): StepInput => ({
  step,
  ...{ loss: 3, tevMean: 1, tevStd: 2, gradVar: 3, gradNorm: 4, lr: 1e-4, tokens: 512 },
  layerGradVar: layers.map(() => 1),
  layerOutVar: layers.map(() => 2),
  custom: { 'gpu/watts': 300, 'gpu/memory': 8, 'tokens/s': 1e6, accuracy: 0.5 },
});

/** Bytes that so many steps take in messages of 64. */
function encodedBytes(count: number): number {
  const batches = range(0, Math.ceil(count / 64)).map((at) => range(64 * at, Math.min(64 * at + 64, count)));
  const frames = batches.map((numbers) => {
    const steps = numbers.map((step) => ({ ...typical(step), time: 0 })) as Parameters<typeof encodeSteps>[0]['steps'];
    return encodeSteps({ run: '01990000-0000-7000-8000-000000000000', attempt: 1, steps });
  });
  return frames.reduce((bytes, { byteLength }) => bytes + byteLength, 0);
}

// Ten times as fast as a link of 8 KB/s, and everything that waits for it too.
const FAST_FORWARD = { answer: 1_000, quickAnswer: 100, lateAnswer: 400 };

test('a slow link delivers its whole backlog, each step sent once', async () => {
  await using server = await IngestServer.listen({ pingInterval: 2_500, pingTimeout: 4_000 });
  await using link = await SlowLink.listen(server.url, 80_000);
  await using recorded = openTestRun(link, { layers }, 100_000, FAST_FORWARD);
  for (const step of range(0, 2_600)) recorded.run.log(typical(step));
  expect(await recorded.run.finish('finished', undefined, { timeoutMs: 100_000 })).toMatchObject({ delivered: true });
  expect(server.batches.flat()).toEqual(range(0, 2_600));
  expect(link.sent).toBeLessThan(1.3 * encodedBytes(2_600));
});

test('a batch too large for a slow link shrinks until it gets through', async () => {
  await using server = await IngestServer.listen({ pingInterval: 500, pingTimeout: 2_000 });
  await using link = await SlowLink.listen(server.url, 16_000);
  await using recorded = openTestRun(link, { layers }, 100_000, FAST_FORWARD);
  for (const step of range(0, 300)) recorded.run.log(typical(step));
  expect(await recorded.run.finish('finished', undefined, { timeoutMs: 100_000 })).toMatchObject({ delivered: true });
  expect([...new Set(server.acceptedSteps)]).toEqual(range(0, 300));
  expect(server.handshakes.length).toBeGreaterThan(1); // the first batch did break the connection
  expect(Math.max(...server.batches.map(({ length }) => length))).toBeLessThan(160);
});

test('what is still on its way is not sent again on the same connection', async () => {
  await using server = await IngestServer.listen();
  await using link = await SlowLink.listen(server.url, 1_000_000);
  await using recorded = openTestRun(link, {}, 100_000, { answer: 20, longestAnswer: 20, unacknowledged: 500 });
  const { run, warnings } = recorded;
  await vi.waitFor(() => expect(server.received).toHaveLength(1), 20_000);
  link.rate = 0;
  run.log({ step: 0 });
  await vi.waitFor(() => expect(warnings).toHaveLength(1), 20_000); // many times what an answer may take
  link.rate = 1_000_000;
  await settled(run);
  expect(server.batches).toEqual([[0]]);
});
