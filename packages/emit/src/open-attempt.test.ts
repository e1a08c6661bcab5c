import { RefusedError } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { IngestServer, openTestRun } from './testing.ts';

/** Has a server take attempts one by one, as the specification says, after the newest that it has. */
function takeInTurn(server: IngestServer, known: number): number[] {
  const started: number[] = [];
  let newest = known;
  server.answer = ({ event, payload }) => {
    if (event !== 'run:start') return { ok: true };
    const { attempt } = payload as { attempt: number };
    if (attempt > newest + 1) return new RefusedError('attempt', `the newest is ${newest}`).toRefusal();
    newest = Math.max(newest, attempt);
    started.push(attempt);
    return { ok: true };
  };
  return started;
}

test('an attempt goes on where the server has missed the ones before it', async () => {
  await using server = await IngestServer.listen();
  const started = takeInTurn(server, 1);
  await using recorded = openTestRun(server, { id: '01890a5d-ac96-774b-bcce-b302099a8057', attempt: 4 });
  recorded.run.log({ step: 30, loss: 2 });
  expect(await recorded.run.finish()).toMatchObject({ delivered: true, pending: 0 });
  expect(started.at(-1)).toBe(4);
  expect([...new Set(started)]).toEqual([2, 3, 4]);
  expect(server.acceptedSteps).toEqual([30]);
  expect(recorded.warnings).toEqual([]);
});

test('an attempt far beyond what the server has is given up, and its words are reported', async () => {
  await using server = await IngestServer.listen();
  const started = takeInTurn(server, 1);
  await using recorded = openTestRun(server, { attempt: 1_000_000 });
  recorded.run.log({ step: 0 });
  expect(await recorded.run.finish()).toMatchObject({ delivered: false });
  expect(started).toEqual([]);
  expect(recorded.warnings[0]).toMatch(/refuses this run.*attempt: the newest is 1$/);
});
