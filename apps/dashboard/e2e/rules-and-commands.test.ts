import { type Command, startRun } from '@evenkeel/emit';
import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

describeInBrowser('rules and commands', {}, (dashboard) => {
  const openPage = async (path: string): Promise<Page> => {
    const page = await dashboard.browser.newPage();
    await page.goto(dashboard.url + path);
    return page;
  };

  /** A run with steps, and the commands that its trainer receives. */
  const aRun = async (name: string) => {
    const received: Command[] = [];
    const run = await startRun({
      ...{ server: dashboard.url, project: 'lab', name, onWarning: () => {} },
      policy: { critical: { kind: 'stop' } },
      onCommand: (command) => {
        received.push(command);
        if (command.kind === 'checkpoint') throw new Error('the disk is full');
        return `carried out: ${command.kind}`;
      },
    });
    for (let step = 0; step < 20; step++) run.log({ step, loss: 2 });
    await run.drained();
    return { run, received };
  };

  test('a person reduces the learning rate, and the page shows who, why, and the result', async () => {
    const { run, received } = await aRun('calmed');
    const page = await openPage(`/runs/${run.id}`);
    await page.getByRole('button', { name: 'Reduce learning rate…' }).click();
    const dialogue = page.getByRole('dialog');
    await dialogue.getByLabel('Factor').fill('1.5');
    await dialogue.getByLabel('Your name').fill('ada');
    await dialogue.getByLabel('Reason').fill('it rises');
    await dialogue.getByRole('button', { name: 'Reduce the learning rate' }).click();
    await dialogue.getByText('between 0 and 1').waitFor();
    expect(received).toEqual([]);
    await dialogue.getByLabel('Factor').fill('0.5');
    await dialogue.getByRole('button', { name: 'Reduce the learning rate' }).click();
    await dialogue.waitFor({ state: 'hidden' });
    await expect
      .poll(() => received)
      .toMatchObject([{ kind: 'reduce-lr', factor: 0.5, by: 'ada', reason: 'it rises' }]);
    const history = page.getByRole('region', { name: 'Commands' });
    await history.getByText('carried out: reduce-lr').waitFor();
    await expect
      .poll(() => history.getByRole('listitem').textContent())
      .toMatch(/Reduce learning rate × 0.5 by ada at step 19.*it rises.*done/);
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
    await run.finish();
  });

  test('a failed command shows the error of the trainer, and the page shows the policy', async () => {
    const { run } = await aRun('full');
    const page = await openPage(`/runs/${run.id}`);
    await page.getByText('on critical').waitFor();
    await page.getByRole('button', { name: 'Checkpoint…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Save a checkpoint' }).click();
    const history = page.getByRole('region', { name: 'Commands' });
    await history.getByText('the disk is full').waitFor();
    await expect.poll(() => history.getByRole('listitem').textContent()).toContain('failed');
    await page.close();
    await run.finish();
  });

  test('a run that is stopped by hand says by whom and why', async () => {
    const { run, received } = await aRun('dear');
    const page = await openPage(`/runs/${run.id}`);
    await page.getByRole('button', { name: 'Stop…' }).click();
    const dialogue = page.getByRole('dialog');
    await dialogue.getByLabel('Reason').fill('too expensive');
    await dialogue.getByLabel('Your name').fill('ada');
    await dialogue.getByRole('button', { name: 'Stop the run' }).click();
    await vi.waitFor(() => expect(received).toHaveLength(1), 30_000);
    await run.finish('stopped', run.signal.reason.message);
    await page.getByText('Stopped by ada: too expensive').waitFor();
    await page.getByRole('button', { name: 'Stop…' }).waitFor({ state: 'detached' });
    await page.close();
  });

  test('rules of a project are tuned, hold for its runs at once, and survive a reload', async () => {
    const { run } = await aRun('tuned');
    const page = await openPage(`/runs/${run.id}`);
    await page.getByRole('link', { name: 'Rules' }).click();
    await page.getByRole('heading', { name: 'Rules of lab' }).waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    const growth = page.getByRole('group', { name: 'tev-growth' });
    const save = page.getByRole('button', { name: 'Save' });
    expect(await save.isDisabled()).toBe(true);
    await growth.getByLabel('Critical from').fill('-0.9');
    await save.click();
    await page.getByText('Not saved: tev-growth.criticalMargin must not be below').waitFor();
    await growth.getByLabel('Critical from').fill('0.9');
    await page.getByLabel('non-finite is on').uncheck({ force: true });
    await save.click();
    await page.getByText('Saved', { exact: true }).waitFor();
    await page.reload();
    await expect.poll(() => growth.getByLabel('Critical from').inputValue()).toBe('0.9');
    await expect.poll(() => page.getByLabel('non-finite is on').isChecked()).toBe(false);

    run.log({ step: 20, loss: Number.NaN });
    await run.drained();
    await page.goto(`${dashboard.url}/runs/${run.id}`);
    await page.getByText('NaN').first().waitFor();
    expect(await page.getByText('non-finite at step').count()).toBe(0);
    await page.close();
    await run.finish();
  });

  test('a run is archived, restored, and deleted once its name is typed', async () => {
    const { run } = await aRun('to be deleted');
    await run.finish('finished');
    const page = await openPage(`/runs/${run.id}`);
    await page.getByRole('button', { name: 'Archive' }).click();
    await page.getByText('This run is hidden from all lists').waitFor();
    const board = await openPage('/');
    await board.getByRole('link', { name: 'calmed' }).waitFor();
    expect(await board.getByRole('link', { name: 'to be deleted' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Restore' }).click();
    await page.getByRole('button', { name: 'Archive' }).waitFor();
    await page.getByRole('button', { name: 'Delete…' }).click();
    const forGood = page.getByRole('button', { name: 'Delete for good' });
    expect(await forGood.isDisabled()).toBe(true);
    const colleague = await openPage(`/runs/${run.id}`);
    await colleague.getByRole('button', { name: 'Delete…' }).waitFor();
    await page.getByLabel('Name of the run').fill('to be deleted');
    await forGood.click();
    await page.waitForURL(`${dashboard.url}/`);
    await colleague.getByRole('heading', { name: 'There is no such run' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'There is no such run' }).waitFor();
    await page.goto(`${dashboard.url}/runs/${run.id}`);
    await page.getByRole('heading', { name: 'There is no such run' }).waitFor();
    await Promise.all([page.close(), board.close(), colleague.close()]);
  });

  test('the risk and the predicted step of divergence are shown beside the curve', async () => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name: 'rising', onWarning: () => {} });
    for (let step = 0; step < 240; step++) {
      const doublings = Math.max(0, step - 200) / 40;
      run.log({ step, loss: 2, tevMean: 0.02 * Math.min(step + 1, 200) ** 0.5 * 2 ** doublings });
    }
    await run.drained();
    const page = await openPage(`/runs/${run.id}`);
    const risk = page.getByTitle(
      /^risk of divergence within 100 steps: 0\.\d+, divergence expected around step \d+; the area at the foot of the chart shows it from 0 to 100 %$/,
    );
    await expect.poll(async () => Number(/\d+/.exec((await risk.textContent()) ?? ''))).toBeGreaterThan(50);
    await page.close();
    await run.finish();
  });

  test('the keyboard leads to its help and to the search', async () => {
    const page = await openPage('/projects/lab/rules');
    const help = page.getByRole('dialog', { name: 'Keyboard' });
    const opensHelp = async () => {
      if ((await help.count()) === 0) await page.keyboard.press('Shift+?');
      return help.count();
    };
    await expect.poll(opensHelp).toBe(1); // once the page has come to life
    await help.getByText('zoom in and out').waitFor();
    await help.getByText('marks them as true, or as a false alarm').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('/');
    await page.waitForURL(`${dashboard.url}/`);
    const search = page.getByRole('searchbox');
    await search.waitFor();
    await page.keyboard.press('/');
    await expect.poll(() => search.evaluate((field) => field === document.activeElement)).toBe(true);
    await page.keyboard.type('calmed');
    await page.waitForURL(/q=calmed/);
    await page.locator('section[aria-label="Runs"][aria-busy="false"]').waitFor(); // pale until the answer is there
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
  });

  test('rules of an unknown project are not found', async () => {
    const page = await openPage('/projects/nobody/rules');
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
    await page.close();
  });
});
