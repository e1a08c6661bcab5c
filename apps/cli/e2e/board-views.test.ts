import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { serve, temporaryFolder } from './evenkeel.ts';
import { storeRuns } from './many-runs.ts';

const executablePath = inject('chromium') ?? '';

describe.skipIf(!executablePath)('views of the board, in a browser', () => {
  const folder = temporaryFolder();
  let server: Awaited<ReturnType<typeof serve>>;
  let browser: Browser;

  beforeAll(async () => {
    await storeRuns(folder.path, 600);
    server = await serve(folder.path);
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-sync'] });
  });

  afterAll(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** A page, and the errors it meets; closed after use. */
  const open = async (path: string, options: Parameters<Browser['newPage']>[0] = {}) => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(server.url + path);
    return { page, problems, [Symbol.asyncDispose]: () => page.close() };
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
    await page.waitForURL(`${server.url}/?status=failed&sort=loss`);
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
    await other.waitForURL(`${server.url}/?status=failed&sort=loss`);
    await openViews(other);
    await other.getByText('What you see is saved as Failed at a low loss.').waitFor();
    await other.getByRole('button', { name: 'Delete Failed at a low loss' }).click();
    const question = other.getByRole('dialog', { name: 'Delete the view Failed at a low loss?' });
    await question.waitFor();
    expect(await seriousProblems(other)).toEqual([]);
    await question.getByRole('button', { name: 'Keep it' }).click();
    await question.waitFor({ state: 'detached' });
    await other.getByRole('button', { name: 'Delete Failed at a low loss' }).click();
    await question.getByRole('button', { name: 'Delete the view' }).click();
    await question.waitFor({ state: 'detached' });
    await expect.poll(() => focusedText(other)).toContain('Saved');
    expect(new URL(other.url()).search).toBe('?status=failed&sort=loss');
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
    await page.waitForURL(`${server.url}/alerts`);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('baselines');
    await page.getByRole('option', { name: 'View Baselines' }).click();
    await page.waitForURL(`${server.url}/?tag=baseline`);
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
