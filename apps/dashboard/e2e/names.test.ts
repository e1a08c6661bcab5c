import { claimRunNames, insertSteps, openDatabase, startRun } from '@evenkeel/db';
import { parse, runStart } from '@evenkeel/protocol';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

const RUN = '01890a5d-ac96-774b-bcce-b302099a8060';
const PLAIN = '01890a5d-ac96-774b-bcce-b302099a8061';
const STEPS = 50;
const LONG = 'grad_2.0_norm/model.transformer.h.0.attn.c_attn.weight';

/** A run whose trainer calls its loss otherwise, as the gateway of another tracker's client stores it. */
const fill = async (dataDir: string) => {
  await using db = await openDatabase({ dataDir });
  const now = new Date();
  await startRun(db, parse(runStart, { run: RUN, attempt: 1, project: 'lab', name: 'named', startedAt: 0 }), now);
  await startRun(db, parse(runStart, { run: PLAIN, attempt: 1, project: 'plain', name: 'plain', startedAt: 0 }), now);
  await claimRunNames(db, RUN, ['train/loss', 'val_loss', 'lr']);
  const steps = Array.from({ length: STEPS }, (_, step) => ({
    ...{ step, time: now.getTime() + step, loss: 3 - step / STEPS, lr: 1e-3 },
    custom: { evalLoss: 3.1 - step / STEPS, accuracy: step / STEPS, 'my loss': 1, 'head/my_loss': 2, [LONG]: 1 },
  }));
  await insertSteps(db, [{ run: RUN, attempt: 1, steps }], now);
};

describeInBrowser('names of metrics', { fill }, (dashboard) => {
  const openPage = async (path: string, options = {}): Promise<Page> => {
    const page = await dashboard.browser.newPage(options);
    await page.goto(dashboard.url + path);
    return page;
  };
  const rows = (page: Page) => page.getByRole('rowheader').allTextContents();

  test('are listed with what they became, and what a person chooses survives a reload', async () => {
    const page = await openPage(`/runs/${RUN}`);
    await page.getByRole('link', { name: 'Names' }).click();
    await page.getByRole('heading', { name: 'Names of lab' }).waitFor();
    await expect
      .poll(() => rows(page))
      .toEqual(['lr', 'train/loss', 'val_loss', 'accuracy', LONG, 'head/my_loss', 'my loss']);
    expect(await page.getByRole('row', { name: /^train\/loss/ }).textContent()).toContain('Loss in 1 run');
    const choice = page.getByLabel('my loss stands for', { exact: true });
    expect(await choice.inputValue()).toBe('automatic');
    const save = page.getByRole('button', { name: 'Save' });
    expect(await save.isDisabled()).toBe(true);
    await choice.selectOption('Loss');
    await page.getByText('Not saved yet').waitFor();
    await page.getByLabel('accuracy stands for').selectOption('Nothing: a custom scalar');
    await page.getByRole('button', { name: 'Undo changes' }).click();
    expect(await choice.inputValue()).toBe('automatic');
    await choice.selectOption('Loss');
    await page.getByLabel('train/loss stands for').selectOption('Nothing: a custom scalar');
    await save.click();
    await page.getByText('Saved', { exact: true }).waitFor();
    await page.reload();
    await expect.poll(() => choice.inputValue()).toBe('loss');
    expect(await page.getByLabel('train/loss stands for').inputValue()).toBe('nothing');
    await page.close();
  });

  test('a long name of a custom scalar does not widen the page of a phone', async () => {
    const page = await openPage(`/runs/${RUN}`, { viewport: { width: 390, height: 844 } });
    await page.getByRole('heading', { name: LONG }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await page.close();
  });

  test('the link that a client of MLflow prints opens the run', async () => {
    const page = await openPage(`/mlflow/#/experiments/1/runs/${RUN.replaceAll('-', '')}`);
    await page.waitForURL(`**/runs/${RUN}`);
    await page.getByRole('heading', { name: 'named' }).waitFor();
    await page.close();
  });

  test('the link to an experiment that a client of MLflow prints opens the board with its runs alone', async () => {
    const page = await openPage('/mlflow/#/experiments/1');
    await page.waitForURL('**/?project=lab');
    const ofDefault = await openPage('/mlflow/#/experiments/0');
    await ofDefault.waitForURL('**/?project=Default');
    for (const each of [page, ofDefault]) await each.close();
  });

  test('are found by a part of them, which is in the address', async () => {
    const page = await openPage('/projects/lab/names');
    await page.getByRole('searchbox', { name: 'Search names' }).fill('MY');
    await expect.poll(() => rows(page)).toEqual(['head/my_loss', 'my loss']);
    await expect.poll(() => page.url()).toContain('q=MY');
    await page.reload();
    await expect.poll(() => rows(page)).toEqual(['head/my_loss', 'my loss']);
    await page.getByRole('searchbox', { name: 'Search names' }).fill('nothing like it');
    await page.getByText('No run has reported such a name.').waitFor();
    await page.close();
  });

  test('of runs without any, the page says so rather than that a search found none', async () => {
    const page = await openPage('/projects/plain/names');
    await page.getByText('These runs have reported no names that could stand for a field.').waitFor();
    await page.close();
  });

  test('that became fields stand beside the titles of their charts, and no others', async () => {
    const page = await openPage(`/runs/${RUN}`);
    const chart = (title: string) => page.getByRole('region', { name: title });
    await expect.poll(() => chart('Loss').first().getByTitle('reported as').textContent()).toBe('train/loss, val_loss');
    expect(await chart('Learning rate').getByTitle('reported as').count()).toBe(0); // it has that very name
    await page.close();
  });

  test.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)(
    'the page has no serious fault of accessibility in %s at %d pixels, and fits',
    async (colorScheme, width) => {
      const page = await openPage('/projects/lab/names', { colorScheme, viewport: { width, height: 800 } });
      await page.getByRole('heading', { name: 'Names of lab' }).waitFor();
      expect(await seriousProblems(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await page.close();
    },
  );

  test('an unknown project has no such page', async () => {
    const page = await openPage('/projects/nobody/names');
    await page.getByText('There is nothing here').waitFor();
    await page.close();
  });
});
