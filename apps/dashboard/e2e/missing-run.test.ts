import { randomUUID } from 'node:crypto';
import { startRun } from '@evenkeel/emit';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

describeInBrowser('the page of a run that has not started', {}, (dashboard) => {
  test('shows the run with its first message', async () => {
    const id = randomUUID();
    const page = await dashboard.browser.newPage();
    const response = await page.goto(`${dashboard.url}/runs/${id}`);
    expect(response?.status()).toBe(404);
    await page.getByRole('heading', { name: 'There is no such run' }).waitFor();
    await page.getByText('with its first message').waitFor();
    expect(await seriousProblems(page)).toEqual([]);

    const about = { server: dashboard.url, project: 'lab', spool: false, onWarning: () => {} } as const;
    const other = await startRun({ ...about, name: 'another' });
    const run = await startRun({ ...about, id, name: 'awaited' });
    run.log({ step: 0, loss: 2 });
    await page.getByRole('heading', { name: 'awaited' }).waitFor();
    await page.getByRole('slider', { name: 'Loss by step' }).waitFor();
    await expect.poll(() => page.title()).toBe('awaited · Evenkeel');
    await Promise.all([run.finish(), other.finish()]);
    await page.close();
  });

  test('an id that is none never becomes a run', async () => {
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/nonsense`);
    await page.getByText('The address does not hold the id of a run.').waitFor();
    await page.close();
  });
});
