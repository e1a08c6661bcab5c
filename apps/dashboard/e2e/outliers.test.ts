import { startRun } from '@evenkeel/emit';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

const HUGE = 10_000_000;

describeInBrowser('steps left out', {}, (dashboard) => {
  test('a step with a huge number is left out, a person removes it and undoes that, and the history says so', async () => {
    const about = { server: dashboard.url, project: 'lab', name: 'jump', onWarning: () => {} } as const;
    const run = await startRun(about);
    for (const step of [...Array(50).keys(), HUGE, 50, 51]) run.log({ step, loss: 2 });
    await run.finish();
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${run.id}`);
    const section = page.locator('section', { has: page.getByRole('heading', { name: 'Steps left out' }) });
    await section.getByRole('cell', { name: 'ahead of the other steps of attempt 1' }).waitFor();
    await page.getByRole('cell', { name: '0 – 51' }).waitFor(); // the steps of the attempt
    expect(await seriousProblems(page)).toEqual([]);
    await section.getByRole('button', { name: `Remove step ${HUGE}` }).click();
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('Step removed').waitFor();
    await section.getByRole('button', { name: `Undo the removal of step ${HUGE}` }).click();
    await history.getByText('Step restored').waitFor();
    await section.getByRole('button', { name: `Remove step ${HUGE}` }).waitFor();
    await page.close();
  });
});
