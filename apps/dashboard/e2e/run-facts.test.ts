import { randomUUID } from 'node:crypto';
import { startRun } from '@evenkeel/emit';
import { PROTOCOL_VERSION } from '@evenkeel/protocol';
import type { Page } from 'playwright-core';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

describeInBrowser("a run's facts", {}, (dashboard) => {
  const open = async (run: string): Promise<Page> => {
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${run}`);
    return page;
  };

  test('two emitters of one attempt that disagree are both warned, and the page says so', async () => {
    const ours: string[] = [];
    const theirs: string[] = [];
    const about = { server: dashboard.url, project: 'lab', name: 'shared', id: randomUUID(), attempt: 1 };
    const one = await startRun({ ...about, onWarning: (warning) => ours.push(warning) });
    one.log({ step: 0, loss: 2 });
    await one.drained();
    const other = await startRun({ ...about, onWarning: (warning) => theirs.push(warning) });
    other.log({ step: 0, loss: 2 });
    await other.drained(); // from now on both are compared
    const page = await open(about.id);
    one.log({ step: 1, loss: 2, custom: { accuracy: 0.5 } });
    await one.drained();
    other.log({ step: 1, loss: 2, custom: { accuracy: 0.25 } });
    await other.drained();
    one.log({ step: 2, loss: 2 });
    await one.drained();
    const warning =
      'another emitter of this attempt sends another value of custom.accuracy for step 1: the later one is kept';
    await expect.poll(() => [ours, theirs]).toEqual([[warning], [warning]]);
    await page.getByRole('cell', { name: /, 1 conflicting value from two emitters$/ }).waitFor();
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('Conflicting values, step 1 of attempt 1').waitFor();
    await history.getByText('two emitters of this attempt send different values of custom.accuracy').waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
    await Promise.all([one.finish(), other.finish()]);
  });

  test('values that were left out are counted on the page', async () => {
    const run = randomUUID();
    const auth = { protocol: PROTOCOL_VERSION, client: 'a trainer in another language' };
    const socket = io(`${dashboard.url}/ingest`, { transports: ['websocket'], auth });
    const send = async (event: string, message: object) => {
      const answer = await socket.timeout(20_000).emitWithAck(event, { run, attempt: 1, ...message });
      expect(answer).toMatchObject({ ok: true });
    };
    await send('run:start', { project: 'lab', name: 'careless', startedAt: Date.now() });
    const bad = { loss: 'high', custom: { accuracy: true } };
    const steps = [
      { step: 0, loss: 2 },
      { step: 1, ...bad },
      { step: 2, loss: 'low' },
    ];
    await send('steps', { steps: steps.map((step) => ({ ...step, time: Date.now() })) });
    await send('run:finish', { status: 'finished' });
    socket.disconnect();
    const page = await open(run);
    const section = page.locator('section', { has: page.getByRole('heading', { name: 'Values left out' }) });
    await section.waitFor();
    await expect
      .poll(async () => (await section.getByRole('row').allTextContents()).toSorted())
      .toEqual(['FieldWhySteps', 'custom.accuracynot a number1', 'lossnot a number2']);
    await page.close();
  });

  test('system metrics have a heading of their own, folded until they are wanted', async () => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name: 'machine', onWarning: () => {} });
    const system = Object.fromEntries([0, 1, 2, 3, 4].map((gpu) => [`system/gpu${gpu}/power_w`, 300 + gpu]));
    for (let step = 0; step < 3; step++) run.log({ step, loss: 2, custom: { accuracy: 0.5, ...system } });
    await run.drained();
    const page = await open(run.id);
    const charts = (name: string) => page.getByRole('region', { name }).getByRole('slider');
    await charts('Custom scalars').first().waitFor();
    expect(await charts('Custom scalars').count()).toBe(1);
    expect(await charts('System metrics').count()).toBe(0);
    await page.getByRole('button', { name: 'Show 5' }).click();
    await expect.poll(() => charts('System metrics').count()).toBe(5);
    await page.reload();
    await expect.poll(() => charts('System metrics').count()).toBe(5);
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
    await run.finish();
  });
});
