import { type Run, startRun } from '@evenkeel/emit';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

const LAYERS = ['embedding', 'block 1', 'head'];
const REWOUND_TO = 60;

/** The batch grows tenfold at step 50. */
const tokensAt = (step: number) => (step <= 50 ? 100 * step : 5_000 + 1_000 * (step - 50));

function log(run: Run, from: number, to: number, loss: (step: number) => number): void {
  for (let step = from; step < to; step++) {
    run.log({
      step,
      loss: loss(step),
      tevMean: 0.1,
      tevStd: 0.01,
      tokens: tokensAt(step),
      tevQuantiles: [1, 2, 3, 4, 5, 6, 7, 8, 9],
      layerGradVar: [1, 2, 3],
      layerOutVar: [4, 5, 6],
      custom: { 'speed, all': 1_000 + step, ...(step % 10 === 0 && { evalLoss: 5 }) },
    });
  }
}

describeInBrowser("a run's charts", {}, (dashboard) => {
  let run: Run;
  let falling: Run;

  beforeAll(async () => {
    falling = await startRun({ server: dashboard.url, project: 'p', name: 'falling', onWarning: () => {} });
    for (let step = 0; step < 100; step++)
      falling.log({ step, loss: 4 * Math.exp(-step / 15), custom: { decades: 10 ** (step / 20) } });
    await falling.finish();
    const start = { server: dashboard.url, project: 'p', name: 'charted', layers: LAYERS, onWarning: () => {} };
    const first = await startRun(start);
    log(first, 0, 100, (step) => (step < REWOUND_TO ? 4 : step));
    await first.finish('failed');
    run = await startRun({ ...start, id: first.id, attempt: 2 });
    log(run, REWOUND_TO, 100, () => 4);
    await run.drained();
  });

  afterAll(async () => {
    await run.finish();
  });

  const open = async (query = '', colorScheme: 'light' | 'dark' = 'light', width = 1280): Promise<Page> => {
    const page = await dashboard.browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    page.setDefaultTimeout(60_000);
    await page.goto(`${dashboard.url}/runs/${run.id}${query}`);
    await chart(page, 'Loss').and(page.locator(`[aria-valuemax="99"]`)).waitFor();
    return page;
  };

  /** What a chart says of a step, to be asked until it has read it. */
  const wordsAt = async (page: Page, title: string, back: number): Promise<() => Promise<string | null>> => {
    const slider = chart(page, title);
    await slider.scrollIntoViewIfNeeded();
    await slider.locator('canvas').waitFor(); // it has gone with its place out of the window
    await slider.and(page.locator('[aria-valuemax="99"]')).waitFor();
    await slider.focus();
    await page.keyboard.press('End');
    for (let press = 0; press < back; press++) await page.keyboard.press('ArrowLeft');
    return () => slider.getAttribute('aria-valuetext');
  };

  test('is seen before any script has run, where the plot then stands', async () => {
    const page = await dashboard.browser.newPage({ colorScheme: 'light', viewport: { width: 1280, height: 900 } });
    const address = `${dashboard.url}/runs/${falling.id}`;
    await page.route('**/*.js', (route) => route.abort());
    const loss = chart(page, 'Loss');
    // A server that is busy sends the page without them.
    await expect.poll(() => page.goto(address).then(() => loss.locator('svg').count()), { timeout: 60_000 }).toBe(1);
    const sketched = await inkOf(page, await loss.screenshot());
    await page.unroute('**/*.js');
    await page.goto(address);
    await loss.locator('canvas').waitFor();
    await expect.poll(() => loss.locator('svg').count()).toBe(0);
    const plotted = await inkOf(page, await loss.screenshot());
    expect(sketched.line.length).toBeGreaterThan(300);
    expect(sketched.line.filter((pixel) => !plotted.near.has(pixel))).toEqual([]);
    await page.close();
  });

  test('a chart that is logarithmic once it comes into the window is drawn once', async () => {
    const page = await dashboard.browser.newPage({ viewport: { width: 1280, height: 500 } });
    await page.goto(`${dashboard.url}/runs/${falling.id}`);
    const decades = chart(page, 'decades');
    await decades.waitFor();
    await page.waitForLoadState('networkidle'); // what it draws is read before it is scrolled to
    await decades.scrollIntoViewIfNeeded();
    await decades.and(page.locator('[aria-valuemax="99"]')).waitFor();
    const section = page.getByRole('region', { name: 'decades' });
    await section.getByRole('button', { name: 'log', pressed: true }).waitFor();
    await expect.poll(() => decades.locator('.uplot').count()).toBe(1);
    await page.close();
  });

  test('custom scalars have charts of their own, and the evaluation loss stands beside the loss', async () => {
    const page = await open();
    await expect.poll(await wordsAt(page, 'speed, all', 9)).toBe('step 90 · 1.09000k');
    await expect.poll(await wordsAt(page, 'Loss', 9)).toBe('step 90 · 4.00000 · evaluation 5.000');
    await expect.poll(await wordsAt(page, 'Loss', 8)).toBe('step 91 · 4.00000');
    expect(await page.getByRole('heading', { name: 'evalLoss' }).count()).toBe(0);
    await page.close();
  });

  test('the x axis counts tokens or time, and the address says so', async () => {
    const page = await open();
    await page.getByRole('radiogroup', { name: 'X axis' }).getByText('Tokens').click();
    await page.waitForURL(/[?&]x=tokens/);
    await expect.poll(await wordsAt(page, 'Loss', 0)).toContain(' tokens · ');
    await page.reload();
    await chart(page, 'Loss').locator('canvas').waitFor();
    expect(await page.getByRole('radio', { name: 'Tokens' }).isChecked()).toBe(true);
    // Half of the tokens lie behind step 73, so that is where a click in the middle leads.
    const shareInTheMiddle = async () => {
      const box = await chart(page, 'Loss').locator('.u-over').boundingBox();
      if (!box) throw new Error('the chart of the loss is not there');
      await page.mouse.move(box.x + box.width / 2, box.y + 50);
      const [, step] = /^step (\d+) /.exec((await chart(page, 'Loss').getAttribute('aria-valuetext')) ?? '') ?? [];
      return tokensAt(Number(step)) / tokensAt(100);
    };
    await expect.poll(shareInTheMiddle).toBeCloseTo(0.5, 1);
    await page.close();
  });

  test('smoothing keeps the raw value, and the address says so', async () => {
    const page = await open();
    await page.getByRole('combobox', { name: 'Smoothing' }).selectOption('10');
    await page.waitForURL(/[?&]smooth=10/);
    // Each step back weighs 0.933 of the one after it, so a rise by 1 a step lies 0.933 / (1 - 0.933) = 13.9 behind.
    await expect.poll(await wordsAt(page, 'speed, all', 0)).toBe('step 99 · 1.09900k · smoothed 1.085k');
    await page.close();
  });

  test('what a rewound attempt measured stays as a ghost, and makes the axis wide enough', async () => {
    const page = await open('?scale=loss-linear');
    await page.waitForFunction(hasGhost);
    await page.close();
  });

  test('the distribution of TEV and both measures by layer are drawn', async () => {
    const page = await open();
    await expect
      .poll(await wordsAt(page, 'TEV of the vocabulary', 0))
      .toBe('step 99 · median 5.00, half within 4.00 to 6.00, all within 1.00 to 9.00');
    for (const name of [
      'Gradient variance by layer by step, from 1.00 to 3.00 nats squared',
      'Output variance by layer by step, from 4.00 to 6.00',
    ]) {
      const heatmap = page.getByRole('img', { name, exact: true });
      await heatmap.scrollIntoViewIfNeeded();
      await heatmap.waitFor();
    }
    await page.close();
  });

  test('values by layer, of the vocabulary and beside the loss are in tables too', async () => {
    const page = await open();
    await page.getByText('The charts as a table').click();
    const row = (name: string) => page.getByRole('row', { name }).first();
    await expect.poll(() => row('block 1').allTextContents()).toEqual(['block 12.005.00']);
    await expect.poll(() => row('25 %').allTextContents()).toEqual(['25 %4.00']);
    await expect.poll(() => row('Loss, evaluation').textContent()).toContain('5.000');
    await page.close();
  });

  test('numbers are shown rounded, and copied with every digit', async () => {
    const page = await open();
    await page.getByText('Custom scalars as a table').click();
    const row = page.getByRole('row').filter({ hasText: 'speed, all' });
    await row.getByText('1.099k').first().waitFor();
    await expect.poll(() => row.evaluate(copyOf)).toBe('speed, all\t1099\t99\t1000\t1099\t0');
    expect(await row.getByText('1.099k').first().evaluate(copyOf)).toBe('1099');
    await page.close();
  });

  test('the board draws the course of the loss and of TEV as soon as it is opened', async () => {
    const page = await dashboard.browser.newPage();
    await page.goto(dashboard.url);
    const row = page.locator(`[data-run="${run.id}"]`);
    for (const column of ['loss', 'tev'])
      await row.locator(`[data-column="${column}"] path`).waitFor({ state: 'attached' });
    await page.close();
  });

  test.each([
    ['', 'light', 1280],
    ['?x=time&smooth=100', 'dark', 390],
  ] as const)('axe finds nothing serious with %j, %s, %i wide', async (query, colorScheme, width) => {
    const page = await open(query, colorScheme, width);
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
  });

  test('a custom scalar that streams in later gets its chart without a reload', async () => {
    const page = await open();
    run.log({ step: 100, loss: 4, custom: { late: 7 } });
    const late = chart(page, 'late');
    await late.waitFor();
    await late.scrollIntoViewIfNeeded();
    await late.and(page.locator('[aria-valuetext^="latest 7"]')).waitFor();
    await page.close();
  });

  test('an evaluation that is logged after its step was seen is drawn without a reload', async () => {
    const evaluated = await startRun({ server: dashboard.url, project: 'p', name: 'evaluated', onWarning: () => {} });
    for (let step = 0; step < 3; step++) evaluated.log({ step, loss: 4, custom: { evalLoss: 5 } });
    evaluated.log({ step: 3, loss: 4 });
    await evaluated.drained();
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${evaluated.id}`);
    const loss = chart(page, 'Loss').and(page.locator('[aria-valuemax="3"]'));
    await loss.waitFor();
    await page.waitForLoadState('networkidle'); // step 3 is of the chart, which is not read again by itself
    await loss.focus();
    await page.keyboard.press('End');
    await expect.poll(() => loss.getAttribute('aria-valuetext')).toBe('step 3 · 4.00000');
    evaluated.log({ step: 3, custom: { evalLoss: 7 } });
    await evaluated.drained();
    await loss.and(page.locator('[aria-valuetext="step 3 · 4.00000 · evaluation 7.000"]')).waitFor();
    await page.close();
    await evaluated.finish();
  });

  test('charts of arrays stand where a run reports them, and come without a reload', async () => {
    const bare = await startRun({ server: dashboard.url, project: 'p', name: 'bare', onWarning: () => {} });
    bare.log({ step: 0, loss: 4 });
    await bare.drained();
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${bare.id}`);
    await chart(page, 'Loss').waitFor();
    const ofArrays = page.getByRole('heading', { name: /by layer|of the vocabulary/ });
    await expect.poll(() => ofArrays.count()).toBe(0);
    await page.waitForLoadState('networkidle'); // what comes now streams in
    bare.log({ step: 1, loss: 4, tevQuantiles: [1, 2, 3, 4, 5, 6, 7, 8, 9] });
    await chart(page, 'TEV of the vocabulary').waitFor();
    expect(await ofArrays.count()).toBe(1);
    await page.close();
    await bare.finish();
  });

  test('negative steps are drawn as they stream in, and the address zooms to them', async () => {
    const warmup = await startRun({ server: dashboard.url, project: 'p', name: 'negative', onWarning: () => {} });
    warmup.log({ step: -5, loss: 4 });
    await warmup.drained();
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${warmup.id}`);
    const shown = (first: number, last: number) =>
      chart(page, 'Loss')
        .and(page.locator(`[aria-valuemin="${first}"][aria-valuemax="${last}"]`))
        .waitFor();
    await shown(-5, -5);
    await page.waitForLoadState('networkidle'); // what comes now streams in
    for (const last of [-2, 20]) {
      for (let step = last === -2 ? -4 : -1; step <= last; step++) warmup.log({ step, loss: 4 - step });
      await shown(-5, last);
    }
    await page.goto(`${dashboard.url}/runs/${warmup.id}?from=-3&to=2`);
    await shown(-3, 2);
    await page.getByText('Steps -3 to 2').waitFor();
    await chart(page, 'Loss').focus();
    await page.keyboard.press('Home');
    await expect.poll(() => chart(page, 'Loss').getAttribute('aria-valuetext')).toBe('step -3 · 7.00000');
    await page.close();
    await warmup.finish();
  });
});

function chart(page: Page, title: string) {
  return page.getByRole('slider', { name: `${title} by step`, exact: true });
}

/** The pixels of a picture in the color of a run's line, and these together with their neighbors. */
async function inkOf(page: Page, picture: Buffer) {
  const line = await page.evaluate(bluePixels, picture.toString('base64'));
  const near = new Set(
    line.flatMap(([x, y]) => [-1, 0, 1].flatMap((dx) => [-1, 0, 1].map((dy) => `${x + dx} ${y + dy}`))),
  );
  return { line: line.map(([x, y]) => `${x} ${y}`), near };
}

/** In the page. */
async function bluePixels(picture: string): Promise<[number, number][]> {
  const image = new Image();
  image.src = `data:image/png;base64,${picture}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const found: [number, number][] = [];
  for (let at = 0; at < data.length; at += 4) {
    const [red = 0, , blue = 0] = data.slice(at, at + 3);
    if (blue - red > 120) found.push([(at / 4) % image.width, Math.floor(at / 4 / image.width)]);
  }
  return found;
}

/** In the page: what is copied of an element. */
function copyOf(element: Element): string {
  getSelection()?.selectAllChildren(element);
  const clipboardData = new DataTransfer();
  document.dispatchEvent(new ClipboardEvent('copy', { clipboardData, cancelable: true }));
  return clipboardData.getData('text/plain');
}

/** In the page: whether the upper half of the loss's chart has a gray line, since the run's own is flat at its foot. */
function hasGhost(): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>('[aria-label="Loss by step"] canvas');
  const over = document.querySelector<HTMLElement>('[aria-label="Loss by step"] .u-over');
  const context = canvas?.getContext('2d');
  if (!canvas || !over || !context || over.clientWidth === 0) return false;
  const scale = canvas.width / canvas.clientWidth;
  const [x, y] = [over.offsetLeft * scale, over.offsetTop * scale];
  const [width, height] = [over.clientWidth * scale, over.clientHeight * scale];
  // Right of where the attempts part, without the line that marks it.
  const { data } = context.getImageData(x + 0.66 * width, y, 0.34 * width - 2, height / 2);
  let inked = 0;
  for (let at = 0; at < data.length; at += 4) {
    const [red = 0, green = 0, blue = 0, alpha = 0] = data.slice(at, at + 4);
    if (alpha > 150 && Math.max(red, green, blue) < 190 && Math.abs(red - blue) < 40) inked += 1;
  }
  return inked > 20;
}
