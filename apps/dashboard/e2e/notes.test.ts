import { startRun } from '@evenkeel/emit';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

const NOTES = `# Why

Twice the *rate*, as in [the paper](https://arxiv.org/abs/2409.07787), and [not](javascript:alert(1)) this.
<b onclick="alert(1)">plain</b>

![curve](https://elsewhere.invalid/curve.png)

| lr | loss |
|----|------|
| 1  | 2    |

- [x] warm-up
`;

describeInBrowser('notes and tags', {}, (dashboard) => {
  const optionsOf = (name: string, notes: string) =>
    ({ server: dashboard.url, project: 'lab', name, notes, tags: ['first'], onWarning: () => {} }) as const;

  /** A run that the server has. */
  const begin = async (name: string, notes: string) => {
    const run = await startRun(optionsOf(name, notes));
    run.log({ step: 0, loss: 1 });
    await run.drained();
    return run;
  };

  const openRun = async (id: string, seen: string[] = []): Promise<Page> => {
    const page = await dashboard.browser.newPage();
    page.on('request', (request) => seen.push(request.url()));
    await page.goto(`${dashboard.url}/runs/${id}`);
    return page;
  };

  const described = (page: Page) => page.getByRole('region', { name: 'Tags and notes' });

  test('a trainer’s notes are shown as Markdown, without HTML, and load nothing from elsewhere', async () => {
    const run = await begin('noted', NOTES);
    const seen: string[] = [];
    const page = await openRun(run.id, seen);
    const section = described(page);
    await section.getByRole('heading', { name: 'Why' }).waitFor();
    const paper = section.getByRole('link', { name: 'the paper' });
    expect(await paper.getAttribute('rel')).toBe('noopener noreferrer');
    await section.getByRole('link', { name: 'curve' }).waitFor();
    await section.getByRole('cell', { name: '2' }).waitFor();
    await section.getByRole('img', { name: 'done' }).waitFor();
    await section.getByText('<b onclick="alert(1)">plain</b>').waitFor();
    expect(await section.getByRole('link').count()).toBe(2);
    expect(await section.locator('img').count()).toBe(0);
    expect(seen.filter((url) => !url.startsWith(dashboard.url) && !url.startsWith('ws'))).toEqual([]);
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
    await run.finish();
  });

  test('a person edits notes and tags, by the keyboard alone, and the next attempt leaves them as they are', async () => {
    const run = await begin('edited', 'as it was');
    await run.finish('failed');
    const page = await openRun(run.id);
    const section = described(page);
    await section.getByText('as it was').waitFor();
    const colleague = await openRun(run.id);
    await described(colleague).getByText('as it was').waitFor();
    await section.getByRole('button', { name: 'Edit tags and notes' }).focus();
    await page.keyboard.press('Enter');
    const notes = section.getByRole('textbox', { name: 'Notes' });
    await expect.poll(() => notes.evaluate((field) => field === document.activeElement)).toBe(true);
    expect(await section.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('**better** now');
    await section.getByRole('combobox', { name: 'Tags' }).fill('kept');
    await page.keyboard.press('Enter');
    await section.getByLabel('Your name').fill('ada');
    expect(await seriousProblems(page)).toEqual([]);
    await page.keyboard.press('Control+Enter');
    await section.getByText('edited by ada').waitFor();
    await described(colleague).getByText('edited by ada').waitFor(); // who has it open sees it too
    await colleague.close();
    expect(await section.locator('strong').textContent()).toBe('better');
    await expect.poll(() => section.getByRole('listitem').allTextContents()).toEqual(['first', 'kept']);
    const edit = section.getByRole('button', { name: 'Edit tags and notes' });
    await expect.poll(() => edit.evaluate((button) => button === document.activeElement)).toBe(true);

    const next = await startRun({ ...optionsOf('edited', 'sent again'), id: run.id, attempt: 2 });
    await page.reload();
    await section.getByText('edited by ada').waitFor();
    expect(await section.locator('strong').textContent()).toBe('better');
    expect(await section.getByText('sent again').count()).toBe(0);
    await edit.click();
    await notes.fill('never mind');
    await section.getByRole('button', { name: 'Cancel' }).click();
    await section.getByText('edited by ada').waitFor();
    expect(await section.getByText('never mind').count()).toBe(0);
    await page.close();
    await next.finish();
  });

  test('a failed save is reported, and the text stays in the form', async () => {
    const run = await begin('offline', 'as it was');
    const page = await openRun(run.id);
    const section = described(page);
    await section.getByRole('button', { name: 'Edit tags and notes' }).click();
    await section.getByRole('textbox', { name: 'Notes' }).fill('lost?');
    await page.route('**/api/trpc/run.describe**', (route) => route.abort());
    await section.getByRole('button', { name: 'Save' }).click();
    await section.getByRole('alert').getByText('Not saved').waitFor();
    expect(await section.getByRole('textbox', { name: 'Notes' }).inputValue()).toBe('lost?');
    await page.unroute('**/api/trpc/run.describe**');
    await section.getByRole('button', { name: 'Save' }).click();
    await section.getByText('edited by somebody').waitFor();
    await section.getByText('lost?').waitFor();
    await page.close();
    await run.finish();
  });
});
