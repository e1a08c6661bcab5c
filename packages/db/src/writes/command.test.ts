import { randomUUID } from 'node:crypto';
import type { Policy } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { type CommandRow, findCommand, listCommands, pendingCommands } from '../reads/command.ts';
import { describeDatabases } from '../testing.ts';
import { aFinding, aRun, aStep, begin, later, NOW } from '../testing-data.ts';
import { type NewAlert, raiseAlert, resolveAlert } from './alert.ts';
import { acknowledgeCommand, giveCommand, settleCommand } from './command.ts';
import { finishRun, startRun } from './run.ts';
import { insertSteps } from './step.ts';

const POLICY: Policy = { warning: { kind: 'reduce-lr', factor: 0.5 }, critical: { kind: 'stop' } };
const BY_ADA = { by: 'ada', reason: 'enough' };

describeDatabases('commands', (db) => {
  const give = (run: string, over: object = {}) =>
    giveCommand(db(), { run, action: { kind: 'stop' }, ...BY_ADA, ...over }, NOW);
  const finish = (run: string, status: 'finished' | 'stopped', attempt = 1) =>
    finishRun(db(), { run, attempt, status, reason: null }, later(9));
  const statusOf = async (key: CommandRow) => (await findCommand(db(), key)).status;
  const raise = async (run: string, over: Partial<NewAlert> = {}) => raiseAlert(db(), run, aFinding(over), NOW);

  test('a command goes from pending to acknowledged to done, each once', async () => {
    const run = await begin(db());
    await insertSteps(db(), [{ run, attempt: 1, steps: [aStep(6), aStep(7)] }], NOW);
    const given = await give(run, { action: { kind: 'reduce-lr', factor: 0.1 } });
    expect(given).toEqual({
      ...{ id: given.id, run, attempt: 1, kind: 'reduce-lr', factor: 0.1, ...BY_ADA, alert: null, step: 7 },
      ...{ status: 'pending', result: null, error: null, createdAt: NOW, acknowledgedAt: null, settledAt: null },
    });
    expect(await pendingCommands(db(), run, 1)).toEqual([given]);
    const acknowledged = { ...given, status: 'acknowledged', acknowledgedAt: later(1) };
    await acknowledgeCommand(db(), given, later(1));
    await acknowledgeCommand(db(), given, later(2));
    expect(await findCommand(db(), given)).toEqual(acknowledged);
    expect(await pendingCommands(db(), run, 1)).toEqual([]);
    const done = { run, id: given.id, result: 'lr is 1e-4 now', error: null };
    await settleCommand(db(), done, later(3));
    await settleCommand(db(), { ...done, error: 'late' }, later(4));
    expect(await listCommands(db(), { run, limit: 9 })).toEqual([
      { ...acknowledged, status: 'done', result: 'lr is 1e-4 now', settledAt: later(3) },
    ]);
  });

  test('what a trainer could not do has failed, with its words', async () => {
    const given = await give(await begin(db()));
    await settleCommand(db(), { ...given, result: null, error: 'disk full' }, later(1));
    expect(await findCommand(db(), given)).toMatchObject({ status: 'failed', error: 'disk full', settledAt: later(1) });
  });

  test('an unknown run or command, and a run that has ended, are refused', async () => {
    const run = await begin(db());
    await finish(run, 'finished');
    await expect(give(run)).rejects.toMatchObject({
      name: 'RefusedError',
      field: '',
      message: expect.stringMatching(/has ended/),
    });
    await expect(give(randomUUID())).rejects.toMatchObject({ name: 'RefusedError', field: 'run' });
    const unknown = { run, id: randomUUID(), result: null, error: null };
    await expect(settleCommand(db(), unknown, NOW)).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
  });

  test('an attempt that stops has done the stop that it took, and what it did not take expires', async () => {
    const run = await begin(db());
    const stop = await give(run);
    const checkpoint = await give(run, { action: { kind: 'checkpoint' } });
    await acknowledgeCommand(db(), stop, later(1));
    await finish(run, 'stopped');
    expect(await findCommand(db(), stop)).toMatchObject({ status: 'done', settledAt: later(9) });
    expect(await statusOf(checkpoint)).toBe('expired');
  });

  test('what a run took and did not report is over when it ends, or its next attempt begins', async () => {
    for (const end of [
      (run: string) => finish(run, 'finished'),
      (run: string) => startRun(db(), aRun({ run, attempt: 2 }), NOW),
    ]) {
      const run = await begin(db());
      const stop = await give(run);
      await acknowledgeCommand(db(), stop, later(1));
      await end(run);
      expect(await findCommand(db(), stop)).toMatchObject({
        status: 'failed',
        error: expect.stringContaining('ended before it reported'),
      });
    }
  });

  test('a stop whose acknowledgement was lost is done where the run ends for its reason', async () => {
    const run = await begin(db());
    const stop = await give(run);
    await finishRun(db(), { run, attempt: 1, status: 'stopped', reason: 'enough' }, later(9));
    expect(await statusOf(stop)).toBe('done');
  });

  test('the same command does not wait twice, another does', async () => {
    const run = await begin(db());
    const lower = (factor: number) => give(run, { action: { kind: 'reduce-lr', factor } });
    const first = await lower(0.5);
    await expect(lower(0.5)).rejects.toMatchObject({ field: 'action' });
    await lower(0.25);
    await acknowledgeCommand(db(), first, later(1));
    await lower(0.5);
    expect(await pendingCommands(db(), run, 1)).toHaveLength(2);
  });

  test('one connection that takes a command counts more than another that refused it', async () => {
    const stop = await give(await begin(db()));
    await settleCommand(db(), { ...stop, result: null, error: 'not mine' }, later(1));
    await acknowledgeCommand(db(), stop, later(2));
    expect(await findCommand(db(), stop)).toMatchObject({ status: 'acknowledged', error: null, settledAt: null });
  });

  test('a command given while its run ends is not left pending', async () => {
    for (let round = 0; round < 20; round++) {
      const run = await begin(db());
      await Promise.allSettled([give(run), finish(run, 'finished')]);
      expect(await pendingCommands(db(), run, 1)).toEqual([]);
    }
  });

  test('the next attempt does not receive the commands of the former', async () => {
    const run = await begin(db());
    const stop = await give(run);
    await startRun(db(), aRun({ run, attempt: 2 }), later(1));
    expect(await statusOf(stop)).toBe('expired');
    expect(await pendingCommands(db(), run, 2)).toEqual([]);
  });

  test('an alert is answered as the policy of its attempt says, by severity, once', async () => {
    const run = await begin(db(), { policy: POLICY });
    const opened = await raise(run);
    expect(opened?.command).toMatchObject({
      ...{ run, attempt: 1, kind: 'reduce-lr', factor: 0.5, by: 'tev-growth', alert: opened?.alert.id, step: 70 },
      reason: 'warning tev-growth at step 70: TEV grows',
    });
    expect(await raise(run)).toBeNull();
    const worse = await raise(run, { severity: 'critical', window: [50, 80] });
    expect(worse?.command).toMatchObject({ kind: 'stop', factor: null, step: 80, alert: opened?.alert.id });
    expect(await listCommands(db(), { run, limit: 9 })).toHaveLength(2);
    expect(await listCommands(db(), { run, alert: randomUUID(), limit: 9 })).toEqual([]);
  });

  test('a second rule does not repeat what the first has caused, until that is resolved', async () => {
    const run = await begin(db(), { policy: POLICY });
    const first = await raise(run);
    expect(first?.command).not.toBeNull();
    const second = await raise(run, { rule: 'loss-spike' });
    expect(second?.command).toBeNull();
    for (const raised of [first, second]) await resolveAlert(db(), raised?.alert ?? { run, id: '' }, later(1));
    expect((await raise(run, { rule: 'grad-variance' }))?.command).toMatchObject({ kind: 'reduce-lr' });
  });

  test('a milder answer to one rule does not swallow the answer to another, nor does one that failed', async () => {
    const policy: Policy = {
      warning: { kind: 'reduce-lr', factor: 0.9 },
      critical: { kind: 'reduce-lr', factor: 0.1 },
    };
    const run = await begin(db(), { policy });
    const mild = await raise(run, { rule: 'grad-variance' });
    expect(mild?.command).toMatchObject({ factor: 0.9 });
    expect((await raise(run, { severity: 'critical' }))?.command).toMatchObject({ factor: 0.1 });
    const failing = await begin(db(), { policy: POLICY });
    const failed = (await raise(failing, { rule: 'grad-variance' }))?.command;
    await settleCommand(db(), { run: failing, id: failed?.id ?? '', result: null, error: 'disk full' }, NOW);
    expect((await raise(failing))?.command).toMatchObject({ kind: 'reduce-lr' });
  });

  test('late steps of an attempt that another has followed cause nothing', async () => {
    const run = await begin(db(), { policy: POLICY });
    await startRun(db(), aRun({ run, attempt: 2, policy: POLICY }), later(1));
    expect(await raise(run, { severity: 'critical', attempt: 1 })).toMatchObject({ command: null });
  });

  test('nothing answers a trainer that is silent, one that has ended, or one that only wants to be observed', async () => {
    const silent = await begin(db(), { policy: POLICY });
    expect(await raise(silent, { rule: 'stalled', severity: 'critical' })).toMatchObject({ command: null });
    const ended = await begin(db(), { policy: POLICY });
    await finish(ended, 'finished');
    expect(await raise(ended, { severity: 'critical' })).toMatchObject({ command: null });
    const observed = await begin(db());
    expect(await raise(observed, { severity: 'critical' })).toMatchObject({ command: null });
  });

  test('the policy is that of the attempt whose steps raised the alert', async () => {
    const run = await begin(db(), { policy: POLICY });
    await startRun(db(), aRun({ run, attempt: 2 }), later(1));
    expect(await raise(run, { severity: 'critical', attempt: 2 })).toMatchObject({ command: null });
  });
});
