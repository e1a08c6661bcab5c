import { SPIKE, storeLongRun } from '@evenkeel/db/sample/long-run';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { describeInBrowser } from './in-browser.ts';

const STEPS = 1_000_000;
/** Of the height of a chart, from its top: only the spike reaches so far up. */
const TOP = 0.25;

let run: string;
const storeRun = async (dataDir: string) => {
  run = await storeLongRun(dataDir, STEPS);
};

describeInBrowser('a single spike in a million steps', { fill: storeRun }, (dashboard) => {
  const openAt = async (from: number, to: number): Promise<Page> => {
    const page = await dashboard.browser.newPage({ colorScheme: 'light', viewport: { width: 1280, height: 900 } });
    await page.goto(`${dashboard.url}/runs/${run}?from=${from}&to=${to}&scale=loss-linear`);
    await page.waitForFunction(hasInk);
    return page;
  };

  test.each([
    [0, STEPS - 1],
    [300_000, 900_000],
    [650_000, 660_000],
    [654_000, 655_000],
    [SPIKE.spikeAt - 20, SPIKE.spikeAt + 20],
  ])('is drawn where it happened, from step %i to %i', async (from, to) => {
    const page = await openAt(from, to);
    await expect.poll(() => page.evaluate(topInk, TOP)).not.toBeNull();
    const inked = await page.evaluate(topInk, TOP);
    const share = (SPIKE.spikeAt - from) / (to - from);
    expect(inked?.left).toBeLessThanOrEqual(share + 0.02);
    expect(inked?.right).toBeGreaterThanOrEqual(share - 0.02);
    // and nowhere else
    expect((inked?.right ?? 1) - (inked?.left ?? 0)).toBeLessThan(to - from > 1_000 ? 0.03 : 0.15);
    await page.close();
  });

  test('is not drawn beside where it happened', async () => {
    const page = await openAt(700_000, 900_000);
    const highest = (await lossRow(page)).getByRole('cell').nth(3);
    await expect.poll(() => highest.getAttribute('title')).toMatch(/^[12]\.\d+$/);
    await page.close();
  });

  test('a step that is not a number is marked among a million, and counted', async () => {
    const page = await openAt(0, STEPS - 1);
    const row = await lossRow(page);
    await row.getByRole('cell').last().getByText('1', { exact: true }).waitFor();
    await expect.poll(() => row.getByRole('cell').nth(3).getAttribute('title')).toMatch(/^50\.\d+$/);
    await page.close();
  });
});

async function lossRow(page: Page) {
  await page.getByText('The charts as a table').click();
  return page.getByRole('row').filter({ hasText: 'Loss' });
}

/** In the page: whether the chart of the loss is drawn. */
function hasInk(): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>('[aria-label="Loss by step"] canvas');
  const context = canvas?.getContext('2d');
  if (!canvas || !context || canvas.width === 0) return false;
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) if ((data[at + 2] ?? 0) - (data[at] ?? 0) > 90) return true; // the line is blue
  return false;
}

/** In the page: from where to where, as shares of the plot's width, its uppermost part has ink of the line; null for none. */
function topInk(top: number): { left: number; right: number } | null {
  const canvas = document.querySelector<HTMLCanvasElement>('[aria-label="Loss by step"] canvas');
  const over = document.querySelector<HTMLElement>('[aria-label="Loss by step"] .u-over');
  const context = canvas?.getContext('2d');
  if (!canvas || !over || !context) return null;
  const scale = canvas.width / canvas.clientWidth;
  const [x, y] = [over.offsetLeft * scale, over.offsetTop * scale];
  const [width, height] = [over.clientWidth * scale, over.clientHeight * scale];
  const { data } = context.getImageData(x, y, width, height * top);
  const columns: number[] = [];
  for (let at = 0; at < data.length; at += 4) {
    if ((data[at + 2] ?? 0) - (data[at] ?? 0) > 90 && (data[at + 3] ?? 0) > 100)
      columns.push((at / 4) % Math.floor(width));
  }
  return columns.length === 0 ? null : { left: Math.min(...columns) / width, right: Math.max(...columns) / width };
}
