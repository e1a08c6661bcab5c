import { startRun } from '@evenkeel/emit';
import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

const TOKEN = 'a token for this test';

describeInBrowser('alerts', { accessToken: TOKEN }, (dashboard) => {
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    context = await dashboard.browser.newContext({ colorScheme: 'light', viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
  });

  const begin = (name: string, over: Partial<Parameters<typeof startRun>[0]> = {}) =>
    startRun({ server: dashboard.url, project: 'lab', name, onWarning: () => {}, ...over });

  /** A run whose loss is lost at its last step. */
  const lose = async (name: string, project = 'lab') => {
    const run = await begin(name, { project });
    for (let step = 0; step < 20; step++) run.log({ step, loss: 2 });
    run.log({ step: 20, loss: Number.NaN });
    await run.drained();
    return run;
  };

  const rows = () => page.getByRole('listitem').filter({ has: page.getByRole('checkbox') });
  const rowOf = (name: string) => rows().filter({ has: page.getByRole('link', { name, exact: true }) });
  const boxOf = (name: string) => rowOf(name).getByRole('checkbox');
  const tab = (name: RegExp) => page.getByRole('button', { name });

  /** Resolves once the page answers: only then does it show how old alerts are. */
  const isAlive = () =>
    page
      .getByText(/^\d+ (s|min) ago$/)
      .first()
      .waitFor();

  test('who is not signed in is asked to, and comes back', async () => {
    await page.goto(`${dashboard.url}/alerts?status=open`);
    await page.getByLabel('Access token').fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${dashboard.url}/alerts?status=open`);
  });

  test('an inbox without alerts says when there will be some, and fills by itself', async () => {
    await page.goto(`${dashboard.url}/alerts`);
    await page.getByRole('heading', { name: 'No alerts yet' }).waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    await lose('first');
    await rowOf('first').waitFor();
    await expect.poll(() => rowOf('first').textContent()).toMatch(/critical.*non-finite at step 20.*open.*loss is NaN/);
  });

  test('new alerts wait until they are asked for', async () => {
    for (const name of ['second', 'third', 'fourth']) await lose(name, name === 'fourth' ? 'other' : 'lab');
    const news = page.getByRole('button', { name: '3 new alerts' });
    await news.waitFor();
    await tab(/^open 4/).waitFor();
    expect(await rows().count()).toBe(1);
    await news.click();
    await rowOf('fourth').waitFor();
    await expect.poll(() => rows().count()).toBe(4);
    expect(await seriousProblems(page)).toEqual([]);
  });

  test('filters are in the address, and a reload keeps them', async () => {
    await page.getByLabel('Project').selectOption('lab');
    await page.getByLabel('Severity').selectOption('critical');
    await page.getByLabel('Search the name of the run').fill('IR');
    await page.waitForURL(`${dashboard.url}/alerts?project=lab&severity=critical&q=IR`);
    await rowOf('second').waitFor({ state: 'detached' });
    await page.reload();
    await isAlive();
    await expect.poll(() => rows().count()).toBe(2); // first and third
    await page.getByLabel('Severity').selectOption('warning');
    await page.getByText('No open alert matches.').waitFor();
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    await page.waitForURL(`${dashboard.url}/alerts`);
    await rowOf('fourth').waitFor();
  });

  test('a note is kept with its writer', async () => {
    await rowOf('first').getByRole('button', { name: 'Add note on non-finite of first' }).click();
    await page.getByLabel('Note', { exact: true }).fill('bad shard, 7 of 9');
    await page.getByLabel('Your name').fill('ada');
    await page.getByRole('button', { name: 'Save the note' }).click();
    await rowOf('first').getByText('bad shard, 7 of 9').waitFor();
    await page.reload();
    await isAlive();
    await expect.poll(() => rowOf('first').textContent()).toMatch(/bad shard, 7 of 9ada · \d{4}-\d\d-\d\d/);
  });

  test('a range is selected with shift, acknowledged together, and stays so', async () => {
    await rows().nth(0).getByRole('checkbox').click(); // by place: the three were opened in one moment, in any order
    await rows()
      .nth(2)
      .getByRole('checkbox')
      .click({ modifiers: ['Shift'] });
    await page.getByText('3 selected').waitFor();
    expect(await boxOf('first').isChecked()).toBe(false);
    expect(await seriousProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Acknowledge 3' }).click();
    await expect.poll(() => rows().count()).toBe(1);
    expect(await rowOf('third').count()).toBe(0);
    await tab(/^acknowledged 3/).click();
    await page.waitForURL(`${dashboard.url}/alerts?status=acknowledged`);
    await page.reload();
    await isAlive();
    await expect.poll(() => rows().count()).toBe(3);
  });

  test('the keyboard moves, selects, acknowledges and opens', async () => {
    await page.goto(`${dashboard.url}/alerts?status=all`);
    await isAlive();
    await page.keyboard.press('j');
    await page.keyboard.press('Shift+j');
    await page.getByText('2 selected').waitFor();
    await page.keyboard.press('x');
    await page.getByText('1 selected').waitFor();
    await page.keyboard.press('k');
    await page.keyboard.press('x');
    for (let press = 0; press < 3; press++) await page.keyboard.press('j');
    await page.keyboard.press('a');
    await rowOf('first').getByText('acknowledged', { exact: true }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'non-finite at step 20' }).waitFor();
    await page.getByText('bad shard, 7 of 9').waitFor();
  });

  test('an alert opens the picture as it was, whatever a later attempt does', async () => {
    const ramp = { tevBase: 0.02, calm: 200 };
    const tevAt = (step: number) =>
      ramp.tevBase * Math.min(step + 1, ramp.calm) ** 0.5 * 2 ** (Math.max(0, step - ramp.calm) / 40);
    const policy = { critical: { kind: 'checkpoint' } } as const;
    const first = await begin('rewound', { policy, onCommand: () => 'kept' });
    for (let step = 0; step < 260; step++) first.log({ step, loss: 2, tevMean: tevAt(step), gradVar: 1 });
    await first.drained();
    await page.goto(`${dashboard.url}/alerts?q=rewound`);
    await rowOf('rewound')
      .getByRole('link', { name: /^tev-growth at step/ })
      .click();
    await page.getByRole('heading', { name: /^tev-growth at step/ }).waitFor();
    await page.getByText(': kept').waitFor();
    await first.finish('failed', 'lost'); // all forecasts are noted by now, and not only at the next second
    await page.reload();
    await page.getByTitle(/divergence expected around step \d+/).waitFor();
    const before = await settledPicture(page);
    expect(before.table).toContain('TEV');
    expect(await seriousProblems(page)).toEqual([]);

    const second = await begin('rewound', { id: first.id, attempt: 2 });
    for (let step = 100; step < 400; step++) second.log({ step, loss: 9, tevMean: 0.3, gradVar: 5 });
    await second.drained();
    await page.reload();
    await page.getByText('Attempt 2, which began later at step 100, is left out.').waitFor();
    await expect.poll(() => pictureOf(page)).toEqual(before);
    // Once it has all its values: what they add to the page would move the line away below the pointer.
    await page.goto(`${dashboard.url}/runs/${first.id}`, { waitUntil: 'networkidle' });
    await page.getByText('The charts as a table').click();
    await page.getByRole('row').filter({ hasText: 'Loss' }).getByText('9.000').first().waitFor();
    await second.finish();
  });

  test('an unknown alert is not found, and says where the others are', async () => {
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8058';
    await page.goto(`${dashboard.url}/alerts/${unknown}/${unknown}`);
    await page.getByRole('heading', { name: 'There is no such alert' }).waitFor();
    await page.getByRole('link', { name: 'See all alerts' }).click();
    await rowOf('first').waitFor();
    await isAlive();
  });

  test('a person who is signed out gets an error when they act, with a link to sign in', async () => {
    await boxOf('first').check();
    await context.clearCookies();
    await page.getByRole('button', { name: 'Resolve 1' }).click();
    await page.getByRole('alert').getByText('you are signed out').waitFor();
    await page.getByRole('alert').getByRole('link', { name: 'Sign in' }).click();
    await page.waitForURL(`${dashboard.url}/signin?next=%2Falerts%3Fstatus%3Dall`);
    await page.getByLabel('Access token').waitFor();
  });
});

interface Picture {
  canvases: string[];
  table: string | null;
}

/** The alert's charts once nothing is drawn any more. */
async function settledPicture(page: Page): Promise<Picture> {
  let last = await pictureOf(page);
  const isSettled = async () => {
    const before = last;
    last = await pictureOf(page);
    return JSON.stringify(last) === JSON.stringify(before);
  };
  await expect.poll(isSettled, { interval: 500 }).toBe(true);
  return last;
}

/** The alert's charts: as pictures, and in words. */
async function pictureOf(page: Page): Promise<Picture> {
  const details = page.getByText('The charts as a table');
  await details.click();
  await page.getByRole('row').filter({ hasText: 'Gradient variance' }).waitFor();
  const table = await page.getByRole('table').textContent();
  await details.click();
  const canvases = await page
    .locator('canvas')
    .evaluateAll((all) => all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
  return { canvases, table };
}
