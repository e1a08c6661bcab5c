import { scalarNames, storeLongRun } from '@evenkeel/db/sample/long-run';
import type { Browser, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

const SCALARS = 2_000;
/** More than a chart has columns. */
const STEPS = 1_300;
const LAST = `layers.${Math.floor((SCALARS - 1) / 6)}.`;

let run = '';
const fill = async (dataDir: string) => {
  run = await storeLongRun(dataDir, STEPS, SCALARS);
};

describeInBrowser('a run of 2,000 custom scalars a step', { fill }, (dashboard) => {
  const section = (page: Page) => page.getByRole('region', { name: 'Custom scalars' });
  const charts = (page: Page) => section(page).getByRole('slider');

  test('its page takes less than 1 MB, compressed as it is sent', async () => {
    const bytes = await pageBytes(dashboard.browser, `${dashboard.url}/runs/${run}`);
    expect(bytes).toBeLessThan(1_000_000);
  });

  test('shows the first by name, and every one is found by its name', async () => {
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${run}`);
    await charts(page).first().waitFor();
    const first = scalarNames(SCALARS).toSorted().slice(0, 12);
    await expect
      .poll(() => section(page).getByRole('heading', { level: 2 }).allTextContents())
      .toEqual(['Custom scalars', ...first]);
    await section(page).getByText('2,000 found').waitFor();
    const search = section(page).getByRole('searchbox', { name: 'Find a custom scalar' });
    await search.fill(LAST.toUpperCase());
    await section(page).getByText('2 found').waitFor();
    const found = scalarNames(SCALARS)
      .filter((name) => name.startsWith(LAST))
      .toSorted();
    const last = charts(page).last();
    await last.scrollIntoViewIfNeeded();
    await last.and(page.locator('[aria-valuetext^="latest"]')).waitFor();
    await expect.poll(() => last.getAttribute('aria-label')).toBe(`${found.at(-1)} by step`);
    expect(await seriousProblems(page)).toEqual([]);
    await page.reload();
    await section(page).getByText('2 found').waitFor();
    await search.fill('no such name');
    await section(page).getByText('No custom scalar of this run has “no such name” in its name.').waitFor();
    await search.fill('');
    await section(page).getByRole('button', { name: 'Show more of 2,000' }).click();
    await expect.poll(() => charts(page).count()).toBe(24);
    await page.close();
  });

  test('a comparison finds every one, too', async () => {
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/compare?runs=${run}`);
    await section(page).getByRole('button', { name: 'Show custom scalars (2,000 or more)' }).click();
    await section(page).getByRole('searchbox', { name: 'Find a custom scalar' }).fill(LAST);
    await expect.poll(() => charts(page).count()).toBe(2);
    await page.close();
  });
});

/** Bytes that came for a page, compressed as they were sent, until nothing more did. */
async function pageBytes(browser: Browser, url: string): Promise<number> {
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(url);
  await page.waitForLoadState('networkidle');
  await page.close();
  return bytes;
}
