import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AcknowledgementWatch } from './acknowledgement-watch.ts';
import { IngestServer, openTestRun, settled } from './testing.ts';
import { warnWithCount } from './warn.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function watched() {
  const warnings: string[] = [];
  const state = { isConnected: true, pending: 1 };
  const watch = new AcknowledgementWatch({
    limit: 30_000,
    warn: warnWithCount((message) => void warnings.push(message)),
    isConnected: () => state.isConnected,
    pending: () => state.pending,
  });
  return { state, warnings, watch };
}

const WARNING = 'the server has acknowledged no steps for 30 s, though it is connected: 1 are kept';

test('steps that are not acknowledged for 30 s are warned of each time that this begins', () => {
  const { warnings, watch } = watched();
  watch.start();
  vi.advanceTimersByTime(29_000);
  watch.answered(); // another is pending
  vi.advanceTimersByTime(29_000);
  expect(warnings).toEqual([]);
  vi.advanceTimersByTime(240_000);
  expect(warnings).toEqual([WARNING]);
  watch.answered();
  vi.advanceTimersByTime(240_000);
  expect(warnings).toEqual([WARNING, WARNING]);
});

test('nothing is warned of while no step is pending, while there is no connection, and after the end', () => {
  const { state, warnings, watch } = watched();
  state.isConnected = false; // another warning reports that
  watch.start();
  vi.advanceTimersByTime(240_000);
  expect(warnings).toEqual([]);
  state.isConnected = true;
  state.pending = 0;
  watch.answered();
  vi.advanceTimersByTime(240_000);
  watch.close();
  watch.start();
  vi.advanceTimersByTime(240_000);
  expect(warnings).toEqual([]);
});

test('an emitter whose steps are not acknowledged warns although its socket is up', async () => {
  vi.useRealTimers();
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, {}, 100_000, { unacknowledged: 50 });
  const { run, warnings } = recorded;
  for (const episode of [1, 2]) {
    server.answer = ({ event }) =>
      event === 'steps' ? { error: 'the database is away', field: '', retry: true } : { ok: true };
    run.log({ step: episode });
    await vi.waitFor(() => expect(warnings).toHaveLength(episode), 20_000);
    server.answer = () => ({ ok: true });
    await settled(run);
  }
  expect(warnings[0]).toContain('has acknowledged no steps for 0.05 s, though it is connected: 1 are kept');
});
