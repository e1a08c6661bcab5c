import { startRun } from '@evenkeel/emit';
import type { Browser, Locator, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';
import { watchedPage } from './watched-page.ts';

const MINUTES = 60_000;
const BEGAN = 1_700_000_000_000;

/** Falls by one with every 50,000 tokens, so that runs of any batch size have the same loss at the same tokens. */
const lossAt = (tokens: number) => 10 - Math.floor(tokens / 50_000);

describeInBrowser('comparing runs', {}, (dashboard) => {
  /** By name. */
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    await train('small batch', { batch: 1_000, steps: 400 });
    await train('large batch', { batch: 2_000, steps: 200 });
    await train('silent on tokens', { batch: null, steps: 300 });
  }, 4 * MINUTES);

  const begin = (name: string, config: Record<string, unknown> = {}) =>
    startRun({ server: dashboard.url, project: 'lab', name, config, startedAt: BEGAN, onWarning: () => {} });

  /** A step a second. */
  const train = async (name: string, { batch, steps }: { batch: number | null; steps: number }) => {
    const run = await begin(name, { model: { dim: 64 }, batch: batch ?? 'unknown' });
    ids[name] = run.id;
    for (let step = 0; step < steps; step++) {
      const tokens = batch && (step + 1) * batch;
      const measured = { loss: tokens ? lossAt(tokens) : 5, tevMean: 0.02 + step / 10_000, gradVar: 1 + (step % 7) };
      run.log({ step, time: BEGAN + (step + 1) * 1_000, ...measured, tokens, custom: { speed: 100 + step } });
    }
    await run.finish('finished');
  };

  /** A page in a browser that has never been here, and the errors it meets; closed after use. */
  const open = (path: string, options: Parameters<Browser['newPage']>[0] = {}) => {
    return watchedPage(dashboard.browser, dashboard.url + path, {
      colorScheme: 'light',
      viewport: { width: 1280, height: 900 },
      ...options,
    });
  };
  const compare = (names: readonly string[], more = '') =>
    `/compare?runs=${names.map((name) => ids[name]).join(',')}${more}`;

  test('without runs it says how to choose some; the keyboard finds and adds them', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using opened = await open('/compare');
    const { page, problems } = opened;
    await page.getByRole('heading', { name: 'Compare runs' }).waitFor();
    await page.getByText(/one after the other; or mark them/).waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    const field = page.getByRole('searchbox', { name: 'Add a run' });
    await expect.poll(() => field.evaluate((input) => input === document.activeElement)).toBe(true);
    for (const search of ['small', 'large']) {
      await page.keyboard.type(search);
      await page.getByRole('option', { name: `${search} batch` }).waitFor();
      await expect.poll(() => page.getByRole('listbox').getByRole('option').count()).toBe(1);
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await listed(page, `${search} batch`).waitFor();
    }
    await page.getByRole('heading', { name: 'Compare 2 runs' }).waitFor();
    await expect.poll(() => runsIn(page)).toEqual([ids['small batch'], ids['large batch']]);
    await page.getByRole('button', { name: 'Remove small batch' }).click();
    await listed(page, 'small batch').waitFor({ state: 'detached' });
    await expect.poll(() => runsIn(page)).toEqual([ids['large batch']]);
    await page.goBack();
    await listed(page, 'small batch').waitFor();
    expect(problems).toEqual([]);
  });

  test('runs are marked on the board, by click and by key, and keep their color', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using opened = await open('/');
    const { page, problems } = opened;
    await page.getByRole('checkbox', { name: 'Compare small batch' }).click();
    await page.getByRole('link', { name: 'Compare 1 run' }).waitFor();
    await page.getByRole('link', { name: 'large batch', exact: true }).focus();
    await page.keyboard.press('x');
    await page.getByRole('link', { name: 'silent on tokens', exact: true }).focus();
    await page.keyboard.press('x');
    await page.getByRole('link', { name: 'Compare 3 runs' }).waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    await page.keyboard.press('x');
    await page.getByRole('checkbox', { name: 'Compare silent on tokens', checked: false }).waitFor();
    await page.reload(); // the tab keeps them
    await page.getByRole('link', { name: 'Compare 2 runs' }).waitFor();
    const onBoard = await swatchOf(page.getByRole('row').filter({ hasText: 'small batch' }));
    await page.getByRole('link', { name: 'Compare 2 runs' }).click();
    await page.getByRole('heading', { name: 'Compare 2 runs' }).waitFor();
    await expect.poll(() => runsIn(page)).toEqual([ids['small batch'], ids['large batch']]);
    expect(await swatchOf(listed(page, 'small batch'))).toBe(onBoard);
    await listed(page, 'small batch').getByRole('link').click();
    await page.getByRole('heading', { name: 'small batch' }).waitFor();
    expect(await swatchOf(page.locator('header', { has: page.getByRole('heading') }))).toBe(onBoard);
    await page.getByRole('link', { name: 'Compare', exact: true }).click();
    await page.getByRole('heading', { name: 'Compare 1 run' }).waitFor();
    await expect.poll(() => runsIn(page)).toEqual([ids['small batch']]);
    expect(problems).toEqual([]);
  });

  test('config differences and final results are in tables', { timeout: 4 * MINUTES }, async () => {
    await using opened = await open(compare(['small batch', 'large batch', 'silent on tokens']));
    const { page, problems } = opened;
    const differences = page.getByRole('region', { name: 'Differences in the config' }).getByRole('row');
    await expect
      .poll(() => differences.allTextContents())
      .toEqual([
        expect.stringMatching(/^Key1small batch2large batch3silent on tokens$/),
        'batch10002000unknown', // and not model.dim, which they have in common
      ]);
    const values = page.getByRole('region', { name: 'Values' });
    const cellsOf = async (name: string) =>
      (await values.getByRole('row').filter({ hasText: name }).getByRole('cell').allTextContents()).slice(0, 8);
    await expect.poll(() => cellsOf('small batch')).toContain('400.0k'); // tokens
    const loss = lossAt(400_000);
    await expect
      .poll(() => cellsOf('small batch'))
      .toEqual([
        ...[loss.toFixed(3), loss.toFixed(3), '0.05990', '0.05990', '7.000', '399', '400.0k'],
        expect.any(String), // the server's clock says when it ended
      ]);
    await expect.poll(async () => (await cellsOf('silent on tokens'))[6]).toBe('–');
    await values.getByRole('button', { name: 'Last step' }).click();
    const names = () => values.getByRole('rowheader').allTextContents();
    await expect.poll(names).toEqual(['2large batch', '3silent on tokens', '1small batch']);
    await page.reload();
    await expect.poll(names).toEqual(['2large batch', '3silent on tokens', '1small batch']);
    await page.goto(dashboard.url + compare(['small batch', 'small batch']));
    await page.getByText('Add another run to see in what the two differ.').waitFor();
    expect(problems).toEqual([]);
  });

  test('runs of different batch sizes lie over one another by tokens, and not by steps', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using opened = await open(compare(['small batch', 'large batch', 'silent on tokens']));
    const { page, problems } = opened;
    // about step 112
    await expect
      .poll(() => readoutAt(page, 0.28))
      .toMatch(/^step 11\d: small batch 8\.000, large batch 6\.000, silent on tokens 5\.000$/);
    // about step 260, which the large batch never reached
    await expect
      .poll(() => readoutAt(page, 0.65))
      .toMatch(/^step 2\d\d: small batch 5\.000, large batch –, silent on tokens 5\.000$/);

    await page.getByRole('radiogroup', { name: 'Align by' }).getByText('Tokens').click();
    await page.getByText('they have no token counts: silent on tokens.').waitFor();
    await expect.poll(() => new URL(page.url()).searchParams.get('x')).toBe('tokens');
    for (const [share, tokens] of [
      [0.31, 125_000],
      [0.56, 225_000],
      [0.93, 375_000],
    ] as const) {
      const loss = lossAt(tokens).toFixed(3);
      const words = `small batch ${loss}, large batch ${loss}, silent on tokens –`;
      await expect.poll(() => readoutAt(page, share)).toContain(words);
    }
    // The other charts stand at the same place.
    const growth = page.getByRole('slider', { name: 'TEV, mean' });
    await expect.poll(() => growth.getAttribute('aria-valuetext')).toMatch(/^37\dk tokens/);
    await page.getByRole('radiogroup', { name: 'Align by' }).getByText('Time').click();
    await expect.poll(() => readoutAt(page, 0.28)).toMatch(/^after 1 min: small batch 8\.000, large batch 6\.000/);
    expect(problems).toEqual([]);
  });

  test('a drag zooms in the unit of the axis, and the address opens the same view elsewhere', {
    timeout: 4 * MINUTES,
  }, async () => {
    await using opened = await open(compare(['small batch', 'large batch'], '&x=tokens&scale=loss-log'));
    const { page, problems } = opened;
    await drag(page, 0.25, 0.75);
    await page.getByRole('button', { name: 'Show all' }).waitFor();
    await page.waitForURL(/[?&]from=.*[?&]to=|[?&]to=.*[?&]from=/);
    const { searchParams } = new URL(page.url());
    const [from, to] = [Number(searchParams.get('from')), Number(searchParams.get('to'))];
    expect(Math.abs(from - 100_000)).toBeLessThan(5_000);
    expect(Math.abs(to - 300_000)).toBeLessThan(5_000);
    await listed(page, 'large batch').getByRole('button', { name: 'Hide large batch' }).click();
    await page.getByLabel('Smoothing').selectOption('10');
    await expect.poll(() => shownOf(page)).toEqual([String(from), String(to)]);
    await page.waitForURL((url) => url.searchParams.has('hide') && url.searchParams.has('smooth'));

    await page.waitForURL(/[?&]smooth=10/);
    await using other = await open(page.url().slice(dashboard.url.length));
    await expect.poll(() => shownOf(other.page)).toEqual([String(from), String(to)]);
    const hide = other.page.getByRole('button', { name: 'Hide large batch' });
    await expect.poll(() => hide.getAttribute('aria-pressed')).toBe('true');
    await expect.poll(() => other.page.getByLabel('Smoothing').inputValue()).toBe('10');
    await expect.poll(() => lossChart(other.page).getAttribute('aria-valuetext')).not.toContain('large batch');
    const log = other.page.getByRole('region', { name: /^Loss/ }).getByRole('button', { name: 'log' });
    await expect.poll(() => log.getAttribute('aria-pressed')).toBe('true');
    await page.bringToFront();
    await hover(page, 0.5);
    const picture = await settledPicture(page);
    await other.page.bringToFront();
    await hover(other.page, 0.5);
    await expect.poll(() => pictureOf(other.page)).toBe(picture);

    await page.bringToFront();
    await lossChart(page).focus();
    await page.keyboard.press('+');
    await expect.poll(() => new URL(page.url()).searchParams.get('from')).not.toBe(String(from));
    const closer = new URL(page.url()).searchParams;
    expect(Math.abs(Number(closer.get('from')) - 150_000)).toBeLessThan(10_000);
    expect(Math.abs(Number(closer.get('to')) - 250_000)).toBeLessThan(10_000);

    await other.page.bringToFront();
    await lossChart(other.page).dblclick();
    await expect.poll(() => new URL(other.page.url()).searchParams.has('from')).toBe(false);
    await lossChart(other.page).focus();
    await other.page.keyboard.press('+');
    await expect.poll(() => new URL(other.page.url()).searchParams.has('from')).toBe(true);
    await other.page.keyboard.press('0');
    await expect.poll(() => new URL(other.page.url()).searchParams.has('from')).toBe(false);
    expect([...problems, ...other.problems]).toEqual([]);
  });

  test('pointing at a run dims the others, and a click in the legend hides it', { timeout: 4 * MINUTES }, async () => {
    await using opened = await open(compare(['small batch', 'silent on tokens']));
    const { page, problems } = opened;
    await hover(page, 0.5);
    await page.mouse.move(1, 1);
    const all = await settledPicture(page);
    const legend = page.getByRole('region', { name: /^Loss/ }).getByRole('listitem');
    const silent = legend.filter({ hasText: 'silent on tokens' }).getByRole('button');
    await silent.hover();
    await expect.poll(() => pictureOf(page)).not.toBe(all);
    await page.mouse.move(1, 1);
    await expect.poll(() => pictureOf(page)).toBe(all);
    await silent.click();
    await page.mouse.move(1, 1);
    await silent.getByText('hidden').waitFor();
    await expect.poll(() => new URL(page.url()).searchParams.get('hide')).toBe(ids['silent on tokens']);
    await silent.click();
    await page.mouse.move(1, 1);
    await expect.poll(() => pictureOf(page)).toBe(all);
    expect(problems).toEqual([]);
  });

  test('custom scalars are drawn once they are asked for', { timeout: 4 * MINUTES }, async () => {
    await using opened = await open(compare(['small batch', 'large batch']));
    const { page } = opened;
    await hover(page, 0.5); // it has come to life
    expect(await page.getByRole('slider', { name: 'speed' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Show custom scalars (1)' }).click();
    const speed = page.getByRole('slider', { name: 'speed' });
    await expect.poll(() => speed.getAttribute('aria-valuetext')).toBe('latest: small batch 499.0, large batch 299.0');
    await page.getByRole('button', { name: 'Hide custom scalars' }).click();
    await speed.waitFor({ state: 'detached' });
  });

  test('a run that goes on is followed', { timeout: 4 * MINUTES }, async () => {
    const run = await begin('live');
    ids.live = run.id;
    for (let step = 0; step < 20; step++) run.log({ step, loss: 3 });
    await run.drained();
    await using opened = await open(compare(['live']));
    const { page } = opened;
    await expect.poll(() => shownOf(page)).toEqual(['0', '19']);
    for (let step = 20; step < 50; step++) run.log({ step, loss: 2 });
    await run.drained();
    await expect.poll(() => shownOf(page)).toEqual(['0', '49']);
    await expect.poll(() => lossChart(page).getAttribute('aria-valuetext')).toBe('latest: live 2.000');
    run.log({ step: 50, loss: Number.NaN });
    await run.finish('failed', 'out of memory');
    await page.getByRole('region', { name: 'Values' }).getByText('out of memory').waitFor();
    await expect.poll(() => shownOf(page)).toEqual(['0', '50']); // what it sent last, too
  });

  test('an id without a run is reported, and the other runs are drawn', { timeout: 4 * MINUTES }, async () => {
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8058';
    await using opened = await open(`${compare(['small batch', 'large batch'])},nonsense,${unknown}`);
    const { page } = opened;
    await page.getByText('“nonsense” is not the id of a run.').waitFor();
    await page.getByText(`There is no run ${unknown}`).waitFor();
    await expect.poll(() => shownOf(page)).toEqual(['0', '399']);
    expect(await seriousProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Remove what is left out from the address' }).click();
    await page.getByText('nonsense').waitFor({ state: 'detached' });
    await expect.poll(() => runsIn(page)).toEqual([ids['small batch'], ids['large batch']]);
    await page.goto(`${dashboard.url}/compare?runs=${unknown}`);
    await page.getByText(`There is no run ${unknown}`).waitFor();
  });

  test('twenty runs are distinct, and a twenty-first is reported as left out', { timeout: 6 * MINUTES }, async () => {
    const names = Array.from({ length: 21 }, (_, at) => `of many ${at}`);
    for (const [at, name] of names.entries()) {
      const run = await begin(name, { at, text: 'a word that makes the column wide enough to scroll' });
      ids[name] = run.id;
      for (let step = 0; step < 50; step++) run.log({ step, time: BEGAN + step, loss: 1 + at, tevMean: 0.1, lr: at });
      await run.finish('finished');
    }
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 390],
    ] as const) {
      await using opened = await open(compare(names), { colorScheme, viewport: { width, height: 900 } });
      const { page, problems } = opened;
      await page.getByRole('heading', { name: 'Compare 20 runs' }).waitFor();
      await page.getByText('Only the first 20 runs are compared; 1 more is left out.').waitFor();
      const entries = page.getByRole('list', { name: 'Runs', exact: true }).getByRole('listitem');
      const looks = await Promise.all((await entries.all()).map(swatchOf));
      expect([looks.length, new Set(looks).size]).toEqual([20, 20]);
      await hover(page, 0.5);
      const legend = page.getByRole('region', { name: /^Loss/ }).getByRole('listitem');
      await expect.poll(() => legend.last().textContent()).toBe('2020.00');
      const colors = [...new Set(await Promise.all((await entries.all()).map(colorOf)))];
      await page.mouse.move(1, 1);
      await expect.poll(() => missingFrom(page, colors)).toEqual([]);
      expect(await seriousProblems(page)).toEqual([]);
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      expect(problems).toEqual([]);
    }
  });
});

const listed = (page: Page, name: string): Locator =>
  page.getByRole('list', { name: 'Runs', exact: true }).getByRole('listitem').filter({ hasText: name });

const runsIn = (page: Page) => new URL(page.url()).searchParams.get('runs')?.split(',');

const lossChart = (page: Page): Locator => page.getByRole('slider', { name: 'Loss of all runs' });

/** First and last place of the axis. */
const shownOf = async (page: Page) => [
  await lossChart(page).getAttribute('aria-valuemin'),
  await lossChart(page).getAttribute('aria-valuemax'),
];

/** A run's color and dash, as its swatch has them. */
const swatchOf = (place: Locator): Promise<string> =>
  place
    .locator('svg line')
    .first()
    .evaluate((line) => `${line.getAttribute('stroke')} ${line.getAttribute('stroke-dasharray')}`);

/** As a browser computes it: `rgb(1, 2, 3)`. */
const colorOf = (place: Locator): Promise<string> =>
  place
    .locator('svg line')
    .first()
    .evaluate((line) => getComputedStyle(line).stroke);

/** The loss's chart, once it is drawn. */
async function plotOf(page: Page): Promise<{ x: number; y: number; width: number; height: number }> {
  const plot = lossChart(page).locator('.u-over');
  await lossChart(page).scrollIntoViewIfNeeded();
  await plot.waitFor();
  const box = await plot.boundingBox();
  if (!box) throw new Error('the chart is out of sight');
  return box;
}

/** Points at a share of the x axis. */
async function hover(page: Page, share: number): Promise<void> {
  const { x, y, width, height } = await plotOf(page);
  await page.mouse.move(x + width * share - 2, y + height / 2);
  await page.mouse.move(x + width * share, y + height / 2);
}

/** What the loss's chart says where one points at a share of the x axis; its place may move until the page is whole. */
async function readoutAt(page: Page, share: number): Promise<string | null> {
  await hover(page, share);
  return lossChart(page).getAttribute('aria-valuetext');
}

async function drag(page: Page, from: number, to: number): Promise<void> {
  await hover(page, from);
  await page.mouse.down();
  await hover(page, to);
  await page.mouse.up();
}

const pictureOf = (page: Page): Promise<string> =>
  lossChart(page)
    .locator('canvas')
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());

/** The loss's chart once nothing is drawn any more. */
async function settledPicture(page: Page): Promise<string> {
  let last = await pictureOf(page);
  const isSettled = async () => {
    const before = last;
    last = await pictureOf(page);
    return last === before;
  };
  await expect.poll(isSettled, { interval: 500 }).toBe(true);
  return last;
}

/** Which of the colors no pixel of the loss's chart has. */
function missingFrom(page: Page, colors: readonly string[]): Promise<string[]> {
  return lossChart(page)
    .locator('canvas')
    .evaluate((element, wanted) => {
      const canvas = element as HTMLCanvasElement;
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      const found = new Set<string>();
      for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] === 255) found.add(`rgb(${pixels[at]}, ${pixels[at + 1]}, ${pixels[at + 2]})`);
      }
      return wanted.filter((color) => !found.has(color));
    }, colors);
}
