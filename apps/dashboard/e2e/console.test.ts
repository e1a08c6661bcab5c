import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PROTOCOL_VERSION } from '@evenkeel/protocol';
import type { Page } from 'playwright-core';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';
import { watchedPage } from './watched-page.ts';

const BEGAN = 1_700_000_000_000;
const ESC = '\u001b';

type Line = { line: number; time: number; text: string; stream?: string; cut?: number };

const aLine = (line: number, text: string, more: Partial<Line> = {}): Line => ({
  line,
  text,
  time: BEGAN + line,
  ...more,
});

describeInBrowser("a run's console output", {}, (dashboard) => {
  /** A trainer that has started a run and logged a step. */
  async function trainer(name: string) {
    const run = randomUUID();
    const auth = { protocol: PROTOCOL_VERSION, client: 'test' };
    const socket = io(`${dashboard.url}/ingest`, { transports: ['websocket'], auth });
    const send = async (event: string, message: object) => {
      const answer = await socket.timeout(60_000).emitWithAck(event, { run, attempt: 1, ...message });
      expect(answer).toMatchObject({ ok: true });
    };
    await send('run:start', { project: 'lab', name, startedAt: BEGAN });
    await send('steps', { steps: [0, 1, 2].map((step) => ({ step, time: BEGAN + step, loss: 3 - step })) });
    return {
      path: `/runs/${run}`,
      print: (...lines: Line[]) => send('run:console', { lines }),
      finish: (status: string, reason: string | null = null) => send('run:finish', { status, reason }),
      [Symbol.dispose]: () => socket.disconnect(),
    };
  }

  const output = (page: Page) => page.getByRole('region', { name: 'Console output' });
  const top = async (page: Page, name: string) => {
    const box = await page.getByRole('region', { name, exact: true }).first().boundingBox();
    return box?.y ?? Number.NaN;
  };

  test('of a run that failed stands above its charts, at its last lines, with nothing in it run or marked up', async () => {
    using run = await trainer('failed');
    const lines = Array.from({ length: 150 }, (_, at) => aLine(at, `step ${at}`));
    const evil = `<img src=x onerror="document.title='injected'"><script>document.title='injected'</script>`;
    await run.print(
      ...lines,
      aLine(150, evil),
      aLine(151, `${ESC}[31mRuntimeError${ESC}[0m: ${ESC}[Knan`, { stream: 'stderr', cut: 9 }),
    );
    await run.finish('failed', 'loss is not finite');
    await using watched = await watchedPage(dashboard.browser, dashboard.url + run.path);
    const { page, problems } = watched;
    const last = output(page).getByText('RuntimeError: nan … 9 characters cut');
    await last.waitFor();
    await expect.poll(() => last.isVisible()).toBe(true);
    const isInView = (element: Element) => {
      const box = element.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= window.innerHeight;
    };
    await expect.poll(() => last.evaluate(isInView)).toBe(true);
    expect(await top(page, 'Console')).toBeLessThan((await page.getByRole('slider').first().boundingBox())?.y ?? 0);
    await output(page).getByText(evil).waitFor();
    expect(await page.title()).toMatch(/^failed/);
    expect(await seriousProblems(page)).toEqual([]);
    expect(problems).toEqual([]);
  });

  test('follows a run that is under way, until somebody scrolls up', async () => {
    using run = await trainer('under way');
    await run.print(aLine(0, 'loading'), aLine(1, ' 10%'));
    await using watched = await watchedPage(dashboard.browser, dashboard.url + run.path);
    const { page } = watched;
    await output(page).getByText('10%').waitFor();
    expect(await top(page, 'Console')).toBeGreaterThan((await page.getByRole('slider').first().boundingBox())?.y ?? 0);
    await run.print(aLine(1, '100%'), ...Array.from({ length: 60 }, (_, at) => aLine(2 + at, `step ${at}`)));
    await output(page).getByText('100%', { exact: true }).waitFor();
    expect(await output(page).getByText(' 10%', { exact: true }).count()).toBe(0);
    const fromEnd = () =>
      output(page).evaluate((element) => element.scrollHeight - element.clientHeight - element.scrollTop);
    await output(page).getByText('step 59').waitFor();
    await expect.poll(fromEnd).toBeLessThan(8);
    const follow = page.getByRole('button', { name: 'Follow' });
    await output(page).evaluate((element) => element.scrollTo(0, 0));
    await expect.poll(() => follow.getAttribute('aria-pressed')).toBe('false');
    await run.print(aLine(62, 'later'));
    await output(page).getByText('later').waitFor();
    expect(await output(page).evaluate((element) => element.scrollTop)).toBe(0);
    await follow.click();
    await expect.poll(fromEnd).toBeLessThan(8);
    await run.finish('finished');
  });

  test('is searched, linked to and downloaded as a whole', async () => {
    using run = await trainer('long');
    for (let at = 0; at < 3; at++) {
      await run.print(
        ...Array.from({ length: 1_000 }, (_, next) => aLine(1_000 * at + next, `line ${1_000 * at + next}`)),
      );
    }
    await run.print(aLine(3_010, `${ESC}[32mdone${ESC}[0m`));
    await run.finish('finished');
    await using watched = await watchedPage(dashboard.browser, dashboard.url + run.path);
    const { page, problems } = watched;
    await page.getByText('3,001 lines', { exact: true }).waitFor();
    await output(page).getByText('10 lines are missing').waitFor();
    const search = page.getByRole('searchbox', { name: 'Find in the console' });
    await search.fill('LINE 12');
    await page.getByText('111 found').waitFor();
    await search.press('Enter');
    await search.press('Enter');
    await page.getByText('2 of 111').waitFor();
    expect(new URL(page.url()).searchParams.get('line')).toBe('1.0.120');
    await page.reload();
    const linked = output(page).locator('[aria-current]');
    await linked.waitFor();
    expect(await linked.textContent()).toBe('121line 120');
    await expect.poll(() => linked.evaluate((element) => element.getBoundingClientRect().top)).toBeLessThan(800);
    const next = output(page).getByRole('link', { name: 'Line 122', exact: true });
    await page.evaluate(() => history.replaceState(null, '', '?x=tokens&line=1.0.120'));
    await expect.poll(() => next.getAttribute('href')).toBe('?x=tokens&line=1.0.121');
    await next.click();
    await expect.poll(() => new URL(page.url()).searchParams.get('line')).toBe('1.0.121');
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    const text = readFileSync(await (await downloading).path(), 'utf8');
    expect(text.split('\n').length).toBe(3_002);
    expect(text.endsWith('line 2999\ndone\n')).toBe(true);
    expect(problems).toEqual([]);
  });

  test('keeps its last lines where the others cannot be read, and reads them when asked again', async () => {
    using run = await trainer('cut off');
    for (let at = 0; at < 2; at++)
      await run.print(...Array.from({ length: 1_000 }, (_, next) => aLine(1_000 * at + next, `line ${at}.${next}`)));
    await run.finish('finished');
    await using watched = await watchedPage(dashboard.browser, dashboard.url + run.path);
    const { page } = watched;
    const last = output(page).getByText('line 1.999', { exact: true });
    await last.waitFor();
    const reads = '**/api/trpc/*console.lines*';
    await page.route(reads, (route) =>
      route.request().postData()?.includes('"before"') ? route.abort() : route.continue(),
    );
    await page.getByRole('button', { name: 'Show all 2,000 lines' }).click();
    await output(page).getByRole('alert').waitFor();
    expect(await last.isVisible()).toBe(true);
    await page.unroute(reads);
    await page.getByRole('button', { name: 'Try again to show all 2,000 lines' }).click();
    await output(page).getByText('line 0.0', { exact: true }).waitFor();
  });

  test('a run without any has no console', async () => {
    using run = await trainer('quiet');
    await using watched = await watchedPage(dashboard.browser, dashboard.url + run.path);
    await watched.page.getByRole('slider').first().waitFor();
    await watched.page.waitForLoadState('networkidle');
    expect(await watched.page.getByRole('heading', { name: 'Console' }).count()).toBe(0);
  });
});
