import { startRun } from '@evenkeel/emit';
import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { connect } from './client.ts';
import { describeInBrowser } from './in-browser.ts';

describeInBrowser('feedback on alerts', {}, (dashboard) => {
  let context: BrowserContext;

  beforeAll(async () => {
    context = await dashboard.browser.newContext();
    for (const [name, status] of [
      ['lost', 'failed'],
      ['lost too', 'failed'],
    ] as const) {
      const run = await begin(name);
      run.log({ step: 20, loss: Number.NaN });
      await run.finish(status);
    }
    const calm = await begin('calm');
    for (let step = 20; step < 400; step++) calm.log({ step, loss: step === 300 ? 2.8 : even(step) });
    await calm.finish();
  });

  /** Swings by 0.1 around 2, so that its standard deviation is 0.1. */
  const even = (step: number) => 2 + (step % 2 ? 0.1 : -0.1);

  const begin = async (name: string) => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name, onWarning: () => {} });
    for (let step = 0; step < 20; step++) run.log({ step, loss: even(step) });
    return run;
  };

  const open = async (path: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(dashboard.url + path);
    return page;
  };

  const rowOf = (page: Page, run: string) =>
    page.getByRole('listitem').filter({ has: page.getByRole('link', { name: run, exact: true }) });
  const button = (page: Page, run: string, name: 'true' | 'false alarm') =>
    rowOf(page, run).getByRole('button', { name, exact: true });
  const isPressed = (page: Page, run: string, name: 'true' | 'false alarm') =>
    expect.poll(() => button(page, run, name).getAttribute('aria-pressed'));
  /** Resolves once the page answers: only then does it show how old alerts are. */
  const isAlive = (page: Page) =>
    page
      .getByText(/^\d+ (s|min) ago$/)
      .first()
      .waitFor();

  test('the record of each rule says how many of its alerts came true', async () => {
    const client = connect(dashboard.url);
    await expect
      .poll(() => client.project.record.query({ project: 'lab' }))
      .toMatchObject([
        { rule: 'loss-spike', severity: 'warning', alerts: 1, healthy: 1 },
        { rule: 'non-finite', severity: 'critical', alerts: 2, late: 2 },
      ]);
    const page = await open('/projects/lab/rules');
    const recordOf = (rule: string) => page.getByRole('group', { name: rule, exact: true });
    await recordOf('non-finite').getByText('Of 2 critical alerts: 2 came when the run had diverged.').waitFor();
    await recordOf('loss-spike')
      .getByText('Of 1 warning alert: 1 false alarm (the run finished without diverging).')
      .waitFor();
    await recordOf('tev-growth').getByText('No alerts in this project yet.').waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    await recordOf('non-finite').getByRole('link', { name: 'See these alerts' }).click();
    await rowOf(page, 'lost').waitFor();
    expect(await rowOf(page, 'calm').count()).toBe(0);
    await page.close();
  });

  test('alerts are marked in the inbox by the keyboard, for every viewer, and the record counts the marks', async () => {
    const [page, colleague] = [await open('/alerts?status=all'), await open('/alerts?status=all')];
    for (const each of [page, colleague]) await isAlive(each);
    await rowOf(page, 'calm').getByRole('checkbox').check();
    await rowOf(page, 'lost').getByRole('checkbox').check();
    await page.getByRole('toolbar').getByText('mark them: t true · f false alarm').waitFor();
    await page.keyboard.press('t');
    for (const each of [page, colleague]) {
      await isPressed(each, 'calm', 'true').toBe('true');
      await isPressed(each, 'lost', 'true').toBe('true');
    }
    await page.keyboard.press('f');
    await isPressed(colleague, 'lost', 'false alarm').toBe('true');
    await isPressed(colleague, 'lost', 'true').toBe('false');
    await page.keyboard.press('f'); // takes it back
    await isPressed(colleague, 'lost', 'false alarm').toBe('false');
    await button(page, 'lost', 'false alarm').click();
    await button(page, 'calm', 'true').click();
    await isPressed(colleague, 'calm', 'true').toBe('true');
    expect(await seriousProblems(page)).toEqual([]);
    await colleague.close();
    await page.goto(`${dashboard.url}/projects/lab/rules`);
    await page.getByText('Of 2 critical alerts: 1 came when the run had diverged; 1 false alarm (marked).').waitFor();
    await page.getByText('Of 1 warning alert: 1 came true (marked true).').waitFor();
    await page.close();
  });

  test('an alert’s page says what became of its run, and who marked it', async () => {
    const page = await open('/alerts?status=all');
    await isAlive(page);
    await page.evaluate(() => localStorage.setItem('evenkeel.name', JSON.stringify('ada')));
    await rowOf(page, 'lost too').getByRole('link', { name: 'non-finite at step 20' }).click();
    const section = page.getByRole('region', { name: 'Feedback' });
    await section.getByText('The run had diverged at step 20, the step of this alert.').waitFor();
    const isTrue = section.getByRole('button', { name: 'true', exact: true });
    await isTrue.focus();
    await page.keyboard.press('Enter');
    await page.getByText('marked true by ada').waitFor();
    await expect.poll(() => isTrue.evaluate((each) => each === document.activeElement)).toBe(true);
    expect(await seriousProblems(page)).toEqual([]);
    await page.reload();
    await page.getByText('marked true by ada').waitFor();
    const colleague = await open(new URL(page.url()).pathname);
    await colleague.getByText('marked true by ada').waitFor();
    await isTrue.click();
    await colleague.getByText('marked true by ada').waitFor({ state: 'detached' });
    await Promise.all([page.close(), colleague.close()]);
  });

  test('a trial says in how many runs each rule would have alerted, and how many of them diverged', async () => {
    const page = await open('/projects/lab/rules');
    await page.getByRole('button', { name: 'Try on past runs' }).click();
    await page.getByText('critical alerts in 2 runs (2 diverged); warnings alone in 1 run (none diverged).').waitFor();
    const broken = page.getByRole('group', { name: 'non-finite', exact: true });
    await broken.getByText('in 2 of 3 runs, as many as it did: critical in 2 runs (2 diverged)').waitFor();
    await page.close();
  });
});
