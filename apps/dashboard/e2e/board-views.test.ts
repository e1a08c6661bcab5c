import { storeRuns } from '@evenkeel/db/sample/many-runs';
import { startRun } from '@evenkeel/emit';
import type { Browser, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';
import { watchedPage } from './watched-page.ts';

describeInBrowser('views of the board', { fill: (dataDir) => storeRuns(dataDir, 600) }, (dashboard) => {
  /** A page, and the errors it meets; closed after use. */
  const open = (path: string, options: Parameters<Browser['newPage']>[0] = {}) => {
    return watchedPage(dashboard.browser, dashboard.url + path, options);
  };

  test('a view is saved under a name, found by others, and deleted after a question', async () => {
    await using first = await open('/');
    const { page } = first;
    await openViews(page);
    await page.getByText('No view is saved yet.').waitFor();
    await page.getByText('Search, filter, sort or group the runs, then').waitFor();
    await page.keyboard.press('Escape');
    await dropdownOf(page).waitFor({ state: 'detached' });
    await page.getByLabel('Status').selectOption('failed');
    await page.getByRole('button', { name: 'Loss' }).click();
    await page.waitForURL(`${dashboard.url}/?status=failed&sort=loss`);
    await openViews(page);
    await page.getByLabel('Save this view as').fill('Failed at a low loss');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Failed at a low loss (saved view)' }).waitFor();
    await expect.poll(() => focusedText(page)).toContain('Failed at a low loss');
    await dropdownOf(page).waitFor({ state: 'detached' });

    await using second = await open('/?group=model.layers', {
      colorScheme: 'dark',
      viewport: { width: 390, height: 800 },
    });
    const other = second.page;
    await openViews(other);
    await other.getByLabel('Save this view as').fill('Failed at a low loss');
    await other.getByRole('button', { name: 'Save', exact: true }).click();
    await dropdownOf(other).getByText('name: there is a view of this name').waitFor();
    expect(await seriousProblems(other)).toEqual([]);
    await dropdownOf(other).getByRole('link', { name: 'Failed at a low loss' }).click();
    await other.waitForURL(`${dashboard.url}/?status=failed&sort=loss`);
    await openViews(other);
    await other.getByText('What you see is saved as Failed at a low loss.').waitFor();
    await other.getByRole('button', { name: 'Delete Failed at a low loss' }).click();
    const question = other.getByRole('dialog', { name: 'Delete the view Failed at a low loss?' });
    await question.waitFor();
    expect(await seriousProblems(other)).toEqual([]);
    await question.getByRole('button', { name: 'Cancel' }).click();
    await question.waitFor({ state: 'detached' });
    await other.getByRole('button', { name: 'Delete Failed at a low loss' }).click();
    await question.getByRole('button', { name: 'Delete the view' }).click();
    await question.waitFor({ state: 'detached' });
    await expect.poll(() => focusedText(other)).toContain('Saved');
    await expect.poll(() => new URL(other.url()).search).toBe('?status=failed&sort=loss');
    await openViews(page);
    await page.getByText('No view is saved yet.').waitFor();
    expect([...first.problems, ...second.problems.filter((problem) => !problem.includes('400'))]).toEqual([]);
  });

  test('a view that the lab saved is one of the pages that the palette finds', async () => {
    await using opened = await open('/?tag=baseline');
    const { page } = opened;
    await openViews(page);
    await page.getByLabel('Save this view as').fill('Baselines');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Baselines (saved view)' }).waitFor();
    await page.getByRole('link', { name: 'Alerts', exact: true }).click();
    await page.waitForURL(`${dashboard.url}/alerts`);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('baselines');
    await page.getByRole('option', { name: 'View Baselines' }).click();
    await page.waitForURL(`${dashboard.url}/?tag=baseline`);
  });

  test('the way back from a run leads to the rows that were there; the way on begins at the top', async () => {
    await using opened = await open('/?sort=name');
    const { page, problems } = opened;
    const table = page.getByRole('region', { name: 'Runs' });
    const scrolled = () => table.evaluate((element) => element.scrollTop);
    const row = page.getByRole('link', { name: 'run 400', exact: true });
    await expect
      .poll(async () => {
        await table.evaluate((element) => element.scrollTo(0, 36 * 330));
        return row.count();
      })
      .toBe(1);
    await table.evaluate((element) => element.scrollBy(0, 100));
    const before = await scrolled();
    await row.click();
    await page.getByRole('heading', { name: 'run 400', exact: true }).waitFor();
    await page.goBack();
    await row.waitFor();
    await expect.poll(scrolled).toBe(before);
    await row.click();
    await page.getByRole('heading', { name: 'run 400', exact: true }).waitFor();
    await page.reload();
    await page.goBack();
    await row.waitFor();
    await expect.poll(scrolled).toBe(before);
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await page.waitForURL(`${dashboard.url}/`);
    await page.getByRole('link', { name: 'run 0', exact: true }).waitFor();
    await expect.poll(scrolled).toBe(0);
    expect(problems).toEqual([]);
  });

  test('a board of one project leads to its rules', async () => {
    await using opened = await open('/?project=mlra');
    await opened.page.getByRole('link', { name: 'Rules of mlra' }).click();
    await opened.page.waitForURL(`${dashboard.url}/projects/mlra/rules`);
  });

  test('the name of an alert stays within its column, or ends in an ellipsis', async () => {
    const run = await startRun({ server: dashboard.url, project: 'narrow', name: 'strides', onWarning: () => {} });
    for (let step = 0; step < 260; step++) run.log({ step, loss: 2, updateShare: step < 200 ? 0.001 : 0.5 });
    await using opened = await open('/?project=narrow', { viewport: { width: 1280, height: 800 } });
    const name = opened.page.getByRole('row').getByText('update-too-large', { exact: true });
    await name.waitFor();
    const room = () =>
      name.evaluate((element) => {
        const column = element.closest('td > span')?.getBoundingClientRect();
        return (column?.right ?? 0) - element.getBoundingClientRect().right;
      });
    await expect.poll(room).toBeGreaterThanOrEqual(0);
    expect(await name.evaluate((element) => getComputedStyle(element).textOverflow)).toBe('ellipsis');
    await run.finish();
  });

  test('two alerts of a run can both be read on a small screen', async () => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name: 'twofold', onWarning: () => {} });
    for (let step = 0; step < 260; step++) {
      run.log({ step, loss: 2, tevMean: 0.02 * Math.exp((step / 120) ** 2), gradVar: 1 });
    }
    run.log({ step: 260, loss: Number.NaN });
    await using opened = await open('/?project=lab');
    const { page } = opened;
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'twofold' }) });
    const boxOf = async (words: string) => {
      const [outer, inner] = await Promise.all([
        row.boundingBox(),
        row.getByText(words, { exact: true }).boundingBox(),
      ]);
      if (!outer || !inner) throw new Error(`${words} is not shown`);
      return { above: inner.y - outer.y, below: outer.y + outer.height - inner.y - inner.height, ...inner };
    };
    for (const words of ['tev-growth', 'non-finite']) {
      await row.getByText(words, { exact: true }).waitFor();
      await expect.poll(async () => Math.min(...Object.values(await boxOf(words)))).toBeGreaterThanOrEqual(0);
      await expect.poll(async () => (await boxOf(words)).height).toBeGreaterThan(10);
      await row
        .locator('span')
        .and(page.getByTitle(new RegExp(`^${words} at step \\d+$`)))
        .waitFor(); // not the cell's
    }
    expect(await seriousProblems(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    await expect.poll(() => row.textContent()).toMatch(/tev-growth.*non-finite|non-finite.*tev-growth/);
    await expect.poll(() => row.getByRole('img', { name: /warning|critical/ }).count()).toBe(2);
    await run.finish();
  });
});

const dropdownOf = (page: Page) => page.getByRole('dialog', { name: /saved view/i });

/** Presses the button until the page has come to life. */
async function openViews(page: Page): Promise<void> {
  const button = page.getByRole('navigation', { name: 'Views' }).getByRole('button');
  const isOpen = async () => (await button.getAttribute('aria-expanded')) === 'true';
  await expect
    .poll(async () => {
      if (!(await isOpen())) await button.click();
      return isOpen();
    })
    .toBe(true);
  await dropdownOf(page).waitFor();
}

const focusedText = (page: Page) => page.evaluate(() => document.activeElement?.textContent);
