import { storeRuns } from '@evenkeel/db/sample/many-runs';
import { startRun } from '@evenkeel/emit';
import type { Browser, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';
import { watchedPage } from './watched-page.ts';

const RUNS = 400;

describeInBrowser('the palette', { fill: (dataDir) => storeRuns(dataDir, RUNS) }, (dashboard) => {
  /** A page that answers to keys, and the errors it meets; closed after use. */
  const open = async (path: string, options: Parameters<Browser['newPage']>[0] = {}) => {
    const opened = await watchedPage(dashboard.browser, dashboard.url + path, options);
    const { page } = opened;
    await expect.poll(() => hasOpened(page)).toBe(true);
    await page.keyboard.press('Escape');
    await dialogOf(page).waitFor({ state: 'detached' });
    return opened;
  };

  test('it finds runs by what the server knows of them, the newest first, and goes to the one that is chosen', async () => {
    await using opened = await open('/?sort=name');
    const { page, problems } = opened;
    await page.getByRole('searchbox').focus();
    await openPalette(page);
    await expect.poll(() => chosenIn(page)).toMatch(/^run 0/);
    await page.keyboard.type('baseline'); // a tag of every tenth run
    await expect.poll(() => namesIn(page)).toEqual([0, 10, 20, 30, 40, 50, 60, 70].map((at) => `run ${at}`));
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('run 39'); // 39 and 390 to 399
    await expect.poll(() => namesIn(page)).toEqual([39, 390, 391, 392, 393, 394, 395, 396].map((at) => `run ${at}`));
    await expect.poll(() => chosenIn(page)).toMatch(/^run 39\D/);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => chosenIn(page)).toMatch(/^run 390\D/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'run 390', exact: true }).waitFor();
    await dialogOf(page).waitFor({ state: 'detached' });
    expect(problems).toEqual([]);
  });

  test('Escape, or the keys that opened it, give the focus back', async () => {
    await using opened = await open('/');
    const { page } = opened;
    const search = page.getByRole('searchbox');
    for (const key of ['Escape', 'Control+k']) {
      await search.focus();
      await openPalette(page);
      await page.keyboard.press(key);
      await dialogOf(page).waitFor({ state: 'detached' });
      await expect.poll(() => search.evaluate((element) => element === document.activeElement)).toBe(true);
    }
    const button = page.getByRole('button', { name: 'Find' });
    await button.click();
    await dialogOf(page).waitFor();
    await page.mouse.click(20, 700);
    await dialogOf(page).waitFor({ state: 'detached' });
    await expect.poll(() => button.evaluate((element) => element === document.activeElement)).toBe(true);
  });

  test('it leads to every page, and to the rules of each project', async () => {
    await using opened = await open('/');
    const { page } = opened;
    const goTo = async (words: string, choice: string) => {
      await openPalette(page);
      await page.keyboard.type(words);
      await dialogOf(page).getByRole('option', { name: choice, exact: true }).click();
    };
    await goTo('ale', 'Alerts');
    await page.waitForURL(`${dashboard.url}/alerts`);
    await goTo('rules ml', 'Rules of mlra');
    await page.waitForURL(`${dashboard.url}/projects/mlra/rules`);
    await goTo('wall', 'Wall of runs at risk');
    await page.waitForURL(`${dashboard.url}/?wall`);
    await page.getByRole('heading', { name: 'Runs at risk' }).waitFor();
    await goTo('all', 'All runs');
    await page.waitForURL(`${dashboard.url}/`);
  });

  test('it does what the page offers: the same question is asked, and gives the focus back', async () => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name: 'asked', onWarning: () => {} });
    run.log({ step: 0, loss: 1 });
    await run.drained(); // the server has it
    await using opened = await open(`/runs/${run.id}`);
    const { page, problems } = opened;
    const find = page.getByRole('button', { name: 'Find' });
    await find.focus();
    await openPalette(page);
    await page.keyboard.type('stop');
    await expect.poll(() => chosenIn(page)).toBe('Stop…');
    await page.keyboard.press('Enter');
    const question = page.getByRole('dialog', { name: 'Stop asked?' });
    await question.waitFor();
    await page.keyboard.press('Control+k');
    expect(await dialogOf(page).count()).toBe(0);
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    await expect.poll(() => find.evaluate((element) => element === document.activeElement)).toBe(true);

    await openPalette(page);
    await page.keyboard.type('arch');
    await expect.poll(() => chosenIn(page)).toBe('Archive or delete this run');
    await page.keyboard.press('Enter');
    const archive = page.getByRole('button', { name: 'Archive', exact: true });
    await expect.poll(() => archive.evaluate((element) => element === document.activeElement)).toBe(true);

    await page.keyboard.press('Shift+?');
    await page.getByText('find a run, a page or an action; on a Mac ⌘ K').waitFor();
    await page.keyboard.press('Escape');
    await run.finish();
    expect(problems).toEqual([]);
  });

  test('colors are switched, and stay so', async () => {
    await using opened = await open('/', { colorScheme: 'light' });
    const { page } = opened;
    const scheme = () => page.evaluate(() => document.documentElement.dataset.mantineColorScheme);
    await openPalette(page);
    await page.keyboard.type('dark');
    await expect.poll(() => chosenIn(page)).toBe('Dark colors');
    await page.keyboard.press('Enter');
    await expect.poll(scheme).toBe('dark');
    await page.reload();
    await expect.poll(scheme).toBe('dark');
  });

  test.each([
    ['light', 1280, ''],
    ['dark', 390, 'run 1'],
    ['dark', 1280, 'no such thing'],
  ] as const)(
    'in %s at %d pixels, asked for “%s”, it has no serious fault of accessibility',
    async (colorScheme, width, words) => {
      await using opened = await open('/', { colorScheme, viewport: { width, height: 800 } });
      const { page } = opened;
      await openPalette(page);
      await page.keyboard.type(words);
      await dialogOf(page)
        .getByText(words === 'no such thing' ? /^Nothing found/ : /^run \d+$/)
        .first()
        .waitFor();
      expect(await seriousProblems(page)).toEqual([]);
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    },
  );
});

const dialogOf = (page: Page) => page.getByRole('dialog', { name: 'Find a run, a page or an action' });

/** On a page that has come to life; what is typed next goes into its field. */
async function openPalette(page: Page): Promise<void> {
  await page.keyboard.press('Control+k');
  await dialogOf(page).waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('combobox');
}

/** Presses the keys until the page has come to life. */
const hasOpened = async (page: Page) => {
  if ((await dialogOf(page).count()) === 0) await page.keyboard.press('Control+k');
  return (await dialogOf(page).count()) > 0;
};

const chosenIn = (page: Page) => dialogOf(page).locator('[aria-selected="true"]').textContent();

/** The names of the runs that are found. */
const namesIn = async (page: Page) =>
  (await dialogOf(page).getByRole('option').allTextContents()).flatMap((text) => /^run \d+(?=[a-z])/.exec(text) ?? []);
