import { randomUUID } from 'node:crypto';
import { getRun, recentSteps, writeProjectNames } from '@evenkeel/db';
import { describeDatabases } from '@evenkeel/db/testing';
import { ANONYMOUS, parse, type StepEvent, startRequest } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Ingest } from './ingest.ts';
import { BEGAN, startOf } from './testing.ts';

describeDatabases('names of other trackers', (db) => {
  const problems: unknown[] = [];
  const log = (level: string, ...rest: unknown[]) => void (level === 'error' && problems.push(rest));
  const open = () => new Ingest({ db: db(), now: () => new Date(BEGAN), log, events: new LocalEventPort(log) });

  async function send(run: string, steps: Omit<StepEvent, 'time'>[], mapNames = true): Promise<void> {
    const ingest = open();
    const context = ingest.open({ principal: ANONYMOUS });
    await context.start(parse(startRequest, { ...startOf(run), mapNames }));
    for (const step of steps) expect(await context.steps({ run, attempt: 1, steps: [step] })).toEqual({ ok: true });
    context.close();
    await ingest.close();
    expect(problems).toEqual([]);
  }

  const stored = async (run: string) =>
    (await recentSteps(db(), { run, limit: 10 })).map(({ time: _, ...step }) =>
      Object.fromEntries(Object.entries(step).filter(([, value]) => value != null)),
    );

  test('become fields of the steps, and the run remembers them', async () => {
    const run = randomUUID();
    await send(run, [
      { step: 0, custom: { 'train/loss': 2, 'train/learning_rate': 0.1, 'eval/loss': 3, acc: 0.5 } },
      { step: 1, custom: { 'train/loss': Number.NaN, train_loss: 7, tokens: 0.5 } },
    ]);
    expect(await stored(run)).toEqual([
      { step: 0, loss: 2, lr: 0.1, custom: { evalLoss: 3, acc: 0.5 } },
      { step: 1, loss: Number.NaN, custom: { train_loss: 7, tokens: 0.5 } },
    ]);
    const names = { loss: 'train/loss', lr: 'train/learning_rate', evalLoss: 'eval/loss', tokens: 'tokens' };
    expect((await getRun(db(), run))?.names).toEqual(names);
  });

  test('mean the same after the server was restarted', async () => {
    const run = randomUUID();
    await send(run, [{ step: 0, custom: { train_loss: 2 } }]);
    await send(run, [{ step: 1, custom: { loss: 7, train_loss: 1 } }]);
    expect(await stored(run)).toEqual([
      { step: 0, loss: 2 },
      { step: 1, loss: 1, custom: { loss: 7 } },
    ]);
  });

  test('mean what a person has decided for the project', async () => {
    await send(randomUUID(), []);
    await writeProjectNames(db(), 'test', { 'train/loss': null, objective: 'loss' });
    const run = randomUUID();
    await send(run, [{ step: 0, custom: { 'train/loss': 2, objective: 1 } }]);
    await writeProjectNames(db(), 'test', {});
    expect(await stored(run)).toEqual([{ step: 0, loss: 1, custom: { 'train/loss': 2 } }]);
  });

  test('do not replace a loss of an evaluation that is reported as Evenkeel calls it', async () => {
    const [own, both] = [randomUUID(), randomUUID()];
    await send(own, [{ step: 0, custom: { evalLoss: 3 } }]);
    expect(await stored(own)).toEqual([{ step: 0, custom: { evalLoss: 3 } }]);
    await send(both, [{ step: 0, custom: { 'eval/loss': 2, evalLoss: 3 } }]);
    expect(await stored(both)).toEqual([{ step: 0, custom: { 'eval/loss': 2, evalLoss: 3 } }]);
  });

  test('stay as they are where the run does not ask for it', async () => {
    const run = randomUUID();
    await send(run, [{ step: 0, custom: { loss: 2 } }], false);
    expect(await stored(run)).toEqual([{ step: 0, custom: { loss: 2 } }]);
  });
});
