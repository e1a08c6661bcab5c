import { startRun } from '@evenkeel/emit';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test, vi } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { connect } from './client.ts';
import { describeInBrowser } from './in-browser.ts';

/** Swings by 0.1 around 3, so that its standard deviation is 0.1. */
const even = (step: number) => 3 + (step % 2 ? 0.1 : -0.1);
/** With a jump of so many of those at step 300. */
const jumping = (sigmas: number) => (step: number) => (step === 300 ? 3 + 0.1 * sigmas : even(step));
const rising = (step: number) => even(step) + (step < 400 ? 3 * Math.exp(-step / 50) : 2);
const breaking = (step: number) => (step < 350 ? even(step) : Number.NaN);

describeInBrowser('rules tried on past runs', {}, (dashboard) => {
  const runs = new Map<string, string>();

  const train = async (name: string, loss: (step: number) => number, status: 'finished' | 'failed' = 'finished') => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name, onWarning: () => {} });
    for (let step = 0; step < 500; step++) run.log({ step, loss: loss(step) });
    await run.finish(status);
    runs.set(name, run.id);
  };

  beforeAll(async () => {
    await train('even', even);
    await train('small jump', jumping(5));
    await train('great jump', jumping(8));
    await train('risen', rising, 'failed');
    await train('broken', breaking, 'failed');
  });

  const openRules = async (): Promise<Page> => {
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/projects/lab/rules`);
    await page.getByRole('button', { name: 'Try on past runs' }).waitFor();
    return page;
  };

  const cellsOf = (page: Page, name: string) =>
    page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });

  test('by the rules as they are, past runs get the alerts that they had', async () => {
    const client = connect(dashboard.url);
    const { runs: tried } = await client.project.tryRules.query({ project: 'lab', settings: {} });
    expect(tried.map(({ name }) => name)).toEqual(['broken', 'risen', 'great jump', 'small jump', 'even']);
    for (const { id, rules } of tried) {
      const found = Object.entries(rules).flatMap(([rule, of]) => of.tried.alerts.map((alert) => ({ rule, ...alert })));
      const judged = async () => {
        const had = await client.alert.list.query({ run: id });
        expect(had.map(({ rule, attempt, step, severity }) => ({ rule, attempt, step, severity }))).toEqual(found);
      };
      await vi.waitFor(judged, 60_000); // the judge comes after the commit
    }
    expect(tried.map(({ rules }) => Object.values(rules).flatMap(({ tried }) => tried.alerts).length)).toEqual([
      1, 1, 1, 0, 0,
    ]);
    expect(tried.map(({ divergedAt }) => divergedAt)).toEqual([350, 404, null, null, null]);
  });

  test('unsaved settings are tried, and the page shows what they change for each rule and run', async () => {
    const page = await openRules();
    const spikes = page.getByRole('group', { name: 'loss-spike' });
    await spikes.getByLabel('Warning above').fill('4');
    await page.getByLabel('non-finite is on').uncheck({ force: true });
    await page.getByRole('button', { name: 'Try on past runs' }).click();
    await page.getByText('Tried on the newest 5 runs: see them').waitFor();
    await spikes.getByText('would have alerted in 3 of 5 runs, 1 more than it did').waitFor();
    const broken = page.getByRole('group', { name: 'non-finite' });
    await broken.getByText('would have alerted in none of 5 runs, 1 fewer than it did').waitFor();
    await page.getByRole('group', { name: 'stalled' }).getByText('Not tried').waitFor();

    await expect
      .poll(() => cellsOf(page, 'small jump').textContent())
      .toMatch(/did not diverge.*loss-spike new.*step 300.*none/);
    await expect
      .poll(() => cellsOf(page, 'broken').textContent())
      .toMatch(/diverged at step 350.*none.*non-finite gone/);
    await expect.poll(() => cellsOf(page, 'even').textContent()).toMatch(/finished.*did not diverge.*none.*none/);
    expect(await seriousProblems(page)).toEqual([]);

    await cellsOf(page, 'risen').getByRole('link', { name: 'step 400' }).first().click();
    await page.waitForURL(`${dashboard.url}/runs/${runs.get('risen')}?from=250&to=500`);
    await page.getByRole('heading', { name: 'risen' }).waitFor();
    const { settings } = await connect(dashboard.url).project.rules.query({ project: 'lab' });
    expect(settings).toEqual({});
    await page.close();
  });

  test('what was tried is called old once the settings are others, and wrong settings are not tried', async () => {
    const page = await openRules();
    await page.getByRole('button', { name: 'Try on past runs' }).click();
    const growth = page.getByRole('group', { name: 'tev-growth' });
    await growth.getByText('would have alerted in none of 5 runs').waitFor();
    await growth.getByLabel('Critical from').fill('-0.9');
    await page.getByText('The settings have changed since').waitFor();
    await expect.poll(() => growth.getByText('would have alerted').count()).toBe(0);
    await page.getByRole('button', { name: 'Try on past runs' }).click();
    await page.getByText('Not tried: tev-growth.criticalMargin must not be below').waitFor();
    await page.close();
  });
});
