import { storeRuns } from '@evenkeel/db/sample/many-runs';
import { startRun } from '@evenkeel/emit';
import type { Browser, Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';
import { watchedPage } from './watched-page.ts';

const RUNS = 3_000;
const MINUTES = 60_000;

describeInBrowser('the board of three thousand runs', { fill: (dataDir) => storeRuns(dataDir, RUNS) }, (dashboard) => {
  /** A page, and the errors it meets; closed after use. */
  const open = (path: string, options: Parameters<Browser['newPage']>[0] = {}) => {
    return watchedPage(dashboard.browser, dashboard.url + path, options);
  };

  // First: a minute after its start the server holds stored runs, which send nothing, to be lost.
  test('the wall fills the screen with the riskiest runs, without anything around', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using opened = await open('/?wall&project=sweep', { viewport: { width: 1920, height: 1080 } });
    const { page, problems } = opened;
    const tiles = page.getByRole('article');
    await expect.poll(() => tiles.count()).toBe(12);
    const risksShown = async () =>
      (await tiles.locator('strong').allTextContents()).map((risk) => Number.parseInt(risk, 10));
    // As storeRuns has it; tiles are ranked in steps of five per cent.
    const atRisk = Array.from({ length: RUNS }, (_, at) => at).filter((at) => at % 3 === 2 && at % 20 === 0);
    const stored = atRisk.map((at) => 50 + (at % 97) / 2).sort((a, b) => b - a);
    await expect.poll(risksShown).toHaveLength(12);
    await expect.poll(async () => (await risksShown()).every((risk, at) => risk >= (stored[at] ?? 0) - 5)).toBe(true);
    await expect.poll(() => page.getByRole('banner').isVisible()).toBe(false);
    const lowest = async () => {
      const boxes = await Promise.all((await tiles.all()).map((tile) => tile.boundingBox()));
      return Math.max(...boxes.map((box) => (box?.y ?? 0) + (box?.height ?? 0)));
    };
    await expect.poll(lowest).toBeLessThan(1080);
    await page.setViewportSize({ width: 1280, height: 720 });
    await expect.poll(() => tiles.count()).toBe(4);
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
    await expect.poll(() => new URL(page.url()).search).toBe('?project=sweep');
    expect(problems).toEqual([]);
  });

  test('search, filters and sort are the address: a reload gives the same view, and chips take them away', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using opened = await open('/');
    const { page, problems } = opened;
    await rowOf(page, 'run 0').waitFor();
    await page.getByRole('searchbox').fill('run 1');
    await rowOf(page, 'run 1999').or(rowOf(page, 'run 10')).first().waitFor();
    await page.getByLabel('Status').selectOption('failed');
    await page.getByRole('button', { name: 'More…' }).click();
    await page.getByLabel('Config key', { exact: true }).fill('model.layers');
    await page.getByLabel('Is', { exact: true }).fill('16');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Loss' }).click();
    await page.getByRole('button', { name: 'Loss' }).click();
    // Of run 1, 10–19, 100–199 and 1000–1999, the eighths that failed: with 16 layers all of them, and none at risk.
    const wanted = Array.from({ length: RUNS }, (_, at) => at)
      .filter((at) => String(at).startsWith('1') && at % 8 === 3)
      .sort((a, b) => (b % 100) - (a % 100) || a - b);
    const names = wanted.slice(0, 5).map((at) => `run ${at}`);
    await rowOf(page, names[0] ?? '').waitFor();
    await expect.poll(() => namesOf(page, 5)).toEqual(names);
    await page.getByText(String(wanted.length), { exact: true }).waitFor();
    await expect.poll(() => new URL(page.url()).searchParams.get('sort')).toBe('-loss');
    await page.reload();
    await expect.poll(() => namesOf(page, 5)).toEqual(names);
    const chips = page.getByRole('list', { name: 'Active filters' });
    await chips.getByRole('button', { name: 'Remove failed' }).click();
    await chips.getByRole('button', { name: 'Remove model.layers = 16' }).click();
    await chips.getByRole('button', { name: 'Remove “run 1”' }).click();
    await page.getByText('3,000', { exact: true }).waitFor();
    await expect.poll(() => new URL(page.url()).search).toBe('?sort=-loss');
    expect(problems).toEqual([]);
  });

  test('a window moves over all runs, by wheel and by keys, and holds few rows', { timeout: 4 * MINUTES }, async () => {
    await using opened = await open('/');
    const { page, problems } = opened;
    const table = page.getByRole('region', { name: 'Runs' });
    await rowOf(page, 'run 0').waitFor();
    await scrolledToEnd(table, rowOf(page, 'run 2999'));
    expect(await table.getByRole('row').count()).toBeLessThan(80);
    expect(await rowOf(page, 'run 2999').getAttribute('aria-rowindex')).toBe('3001');

    await table.focus();
    await page.keyboard.press('Home');
    await expect.poll(() => focused(page)).toBe('run 0');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => focused(page)).toBe('run 1');
    await page.keyboard.press('End');
    await expect.poll(() => focused(page)).toBe('run 2999');
    await page.keyboard.press('PageUp');
    await expect.poll(() => focused(page)).toMatch(/^run (?!2999)\d+$/);
    const paged = Number(/\d+/.exec((await focused(page)) ?? ''));
    const name = `run ${paged - 1}`;
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => focused(page)).toBe(name);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name, exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  // A key came between a render and its effects: these moved the focus to the run before, and the next did not move it.
  test('the focus follows every key on a slow machine', { timeout: 4 * MINUTES }, async () => {
    await using opened = await open('/');
    const { page } = opened;
    await rowOf(page, 'run 0').waitFor();
    const slow = await page.context().newCDPSession(page);
    await slow.send('Emulation.setCPUThrottlingRate', { rate: 6 });
    await page.getByRole('region', { name: 'Runs' }).focus();
    for (let round = 0; round < 10; round++) {
      await page.keyboard.press('End');
      await expect.poll(() => focused(page)).toBe('run 2999');
      await page.keyboard.press('Home');
      await expect.poll(() => focused(page)).toBe('run 0');
    }
  });

  test('runs stand in groups of a key of the configuration', { timeout: 4 * MINUTES }, async () => {
    await using opened = await open('/?group=model.layers&project=mlra&sort=name');
    const { page } = opened;
    await page.getByRole('rowheader', { name: 'model.layers = 4 250 runs' }).waitFor();
    const table = page.getByRole('region', { name: 'Runs' });
    await scrolledToEnd(table, page.getByRole('row').filter({ hasText: 'run 99' }).last());
    await table.evaluate((element) => element.scrollTo(0, 36 * 251 * 3));
    await page.getByRole('rowheader', { name: 'model.layers = 16 250 runs' }).waitFor();
  });

  test('a run that goes astray shows its risk live, on the board and on the wall', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using board = await open('/?project=live');
    await using wall = await open('/?wall&project=live', { viewport: { width: 1920, height: 1080 } });
    await board.page.getByText('No run matches.').waitFor();
    await wall.page.getByText('No run is running.').waitFor();
    const run = await startRun({ server: dashboard.url, project: 'live', name: 'astray' });
    const row = rowOf(board.page, 'astray');
    await row.getByText('running').waitFor();
    for (let step = 0; step < 260; step++) {
      const astray = Math.max(0, step - 150) / 50;
      const loss = 3 - step / 1_000 + astray / 10;
      run.log({ step, loss, tevMean: 0.02 * Math.exp((step / 120) ** 2), gradVar: 1, gradNorm: Math.exp(astray) });
    }
    await row.getByText(/≈ step [\d,]+/).waitFor();
    await row.getByText('tev-growth').waitFor();
    const tile = wall.page.getByRole('article').filter({ hasText: 'astray' });
    await tile.getByText(/diverges around step [\d,]+/).waitFor();
    await tile.getByText('tev-growth').waitFor();
    await run.finish('failed', 'it blew up');
    await row.getByText('failed').waitFor();
    await tile.getByText(/ago: it blew up/).waitFor();
    expect([...board.problems, ...wall.problems]).toEqual([]);
  });

  test('a browser that asks for an icon by itself gets it', async () => {
    const icon = await fetch(`${dashboard.url}/favicon.ico`);
    expect([icon.status, icon.headers.get('content-type')]).toEqual([200, 'image/svg+xml']);
  });

  test.each([
    ['/?sort=-risk', 'light', 1280],
    ['/?group=model.layers&tag=baseline', 'dark', 390],
    ['/?q=nothing', 'light', 390],
    ['/?wall', 'dark', 1920],
  ] as const)('%s in %s at %d pixels has no serious fault of accessibility', async (path, colorScheme, width) => {
    await using opened = await open(path, { colorScheme, viewport: { width, height: 900 } });
    const { page } = opened;
    await page
      .getByText(/run \d+|No run matches/)
      .first()
      .waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  });
});

/** Scrolls a list to its end, which lies further down once the page has come to life, until a row is there. */
async function scrolledToEnd(list: Locator, row: Locator): Promise<void> {
  await expect
    .poll(
      async () => {
        await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
        return row.count();
      },
      { timeout: MINUTES },
    )
    .toBeGreaterThan(0);
}

const rowOf = (page: Page, name: string): Locator =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });

const namesOf = async (page: Page, count: number) =>
  (await page.getByRole('rowheader').getByRole('link').allTextContents()).slice(0, count);

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent);
