import type { AppRouter } from '@evenkeel/api';
import { temporaryFolder } from '@evenkeel/testing';
import { createTRPCClient, httpLink } from '@trpc/client';
import { type Browser, chromium, type Page } from 'playwright-core';
import superjson from 'superjson';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { type EvenkeelProcess, evenkeel } from './evenkeel.ts';

const executablePath = inject('chromium');
const UNSTABLE = 'rising learning rate';
const STOPPED = 'rising, stopped early';
const MINUTES = 60_000;

describe.skipIf(executablePath === null)('the demo, in a browser', () => {
  const folder = temporaryFolder();
  let demo: EvenkeelProcess;
  let browser: Browser;
  let url: string;

  beforeAll(async () => {
    demo = evenkeel(['demo', '--port', '0', '--no-open', '--data-dir', folder.path]);
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox', '--disable-gpu'] });
    browser.on('context', (context) => context.setDefaultTimeout(MINUTES)); // three trainers run beside it
    [, url = ''] = await demo.printed(/Evenkeel is at (\S+)/);
  });

  afterAll(async () => {
    await browser.close();
    await demo[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const openPage = async (colorScheme: 'dark' | 'light', path: string) => {
    const page = await browser.newPage({ colorScheme });
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(url + path);
    return { page, problems };
  };

  test('three runs appear on the board and move', { timeout: 4 * MINUTES }, async () => {
    const { page, problems } = await openPage('light', '/');
    for (const name of ['healthy', UNSTABLE, STOPPED]) {
      await page.getByRole('link', { name, exact: true }).waitFor({ timeout: MINUTES });
    }
    await vi.waitFor(async () => expect(await stepOf(page, 'healthy')).not.toBeNaN(), MINUTES); // a dash before its first
    const before = await stepOf(page, 'healthy');
    await vi.waitFor(async () => expect(await stepOf(page, 'healthy')).toBeGreaterThan(before + 5), MINUTES);
    expect(problems).toEqual([]);
  });

  test('the run page draws its charts and moves with the run', { timeout: 4 * MINUTES }, async () => {
    const { page, problems } = await openPage('dark', '/');
    await page.getByRole('link', { name: 'healthy', exact: true }).click();
    await page.getByRole('heading', { name: 'healthy', exact: true }).waitFor();
    for (const title of [
      'Loss',
      'TEV',
      'Gradient variance',
      'Gradient norm',
      'Learning rate',
      'Gradient variance by layer',
    ]) {
      await page.getByRole('heading', { name: title }).first().waitFor();
    }
    await vi.waitFor(async () => expect((await inkOf(page)).length).toBeGreaterThanOrEqual(4), MINUTES);
    const drawn = await inkOf(page);
    await vi.waitFor(async () => {
      const now = await inkOf(page);
      expect(now.every((picture, at) => picture !== drawn[at])).toBe(true);
    }, MINUTES);
    expect(problems).toEqual([]);
  });

  test('the unstable run is warned of before its onset, its twin stopped by then, the healthy one left alone', {
    timeout: 10 * MINUTES,
  }, async () => {
    const client = createTRPCClient<AppRouter>({
      links: [httpLink({ url: `${url}/api/trpc`, transformer: superjson })],
    });
    const { page } = await openPage('light', '/');
    await page
      .getByText('tev-growth')
      .first()
      .waitFor({ timeout: 5 * MINUTES });
    await vi.waitFor(
      async () => {
        const { runs } = await client.run.list.query({ limit: 10 });
        const statuses = Object.fromEntries(runs.map((run) => [run.name, run.status]));
        expect(statuses).toEqual({ healthy: 'finished', [UNSTABLE]: 'failed', [STOPPED]: 'stopped' });
      },
      { timeout: 8 * MINUTES, interval: 500 },
    );
    const { runs } = await client.run.list.query({ limit: 10 });
    const runNamed = (name: string) => runs.find((run) => run.name === name) as (typeof runs)[number];
    const growthOf = async (name: string) => {
      const alerts = await client.alert.list.query({ run: runNamed(name).id });
      return alerts.filter(({ rule }) => rule === 'tev-growth'); // also one that has resolved since
    };
    expect(await growthOf('healthy')).toEqual([]);
    const [alert, ...others] = await growthOf(UNSTABLE);
    expect([alert?.severity, others]).toEqual(['critical', []]);

    const { steps, series } = await client.step.chart.query({ run: runNamed(UNSTABLE).id, columns: 2_000 });
    const onset = onsetOf(steps, series.loss?.mean ?? []) ?? 0;
    expect(alert?.step).toBeLessThan(onset);

    const [stopping] = await growthOf(STOPPED);
    const commands = await client.run.commands.query({ run: runNamed(STOPPED).id });
    expect(commands).toMatchObject([{ kind: 'stop', status: 'done', by: 'tev-growth', alert: stopping?.id }]);
    expect(commands[0]?.result).toMatch(/^stopped after \d+ steps; checkpoint \S+/);
    expect(runNamed(STOPPED).lastStep).toBeLessThan(onset);
    // The twins are the same run up to there.
    const twin = await client.step.chart.query({ run: runNamed(STOPPED).id, columns: 2_000 });
    expect(twin.series.loss?.mean).toEqual(series.loss?.mean.slice(0, twin.steps.length));

    await page.getByRole('row').filter({ hasText: STOPPED }).getByText('stopped', { exact: true }).waitFor();
    await page.getByRole('row').filter({ hasText: UNSTABLE }).getByText('failed', { exact: true }).waitFor();
  });

  test('a person acknowledges the alert on the run page', async () => {
    const { page } = await openPage('light', '/');
    await page.getByRole('link', { name: UNSTABLE, exact: true }).click();
    const alert = page.getByText('non-finite at step').locator('xpath=ancestor::*[.//button][1]');
    await alert.getByRole('button', { name: 'Acknowledge' }).click();
    await alert.getByText('acknowledged', { exact: false }).waitFor();
  });
});

async function stepOf(page: Page, name: string): Promise<number> {
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
  return Number((await row.locator('[data-column="step"]').textContent())?.replaceAll(',', ''));
}

/** The pictures in the window: those outside it are not drawn. */
function inkOf(page: Page): Promise<string[]> {
  return page.locator('canvas').evaluateAll((canvases) => {
    const shown = canvases.filter((canvas) => canvas.getBoundingClientRect().top < innerHeight);
    return shown.map((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  });
}

/**
 * The first step at which the loss (median of the last 9) rises above its best so far by the greater of 0.4 and half
 * of what had been learned, and stays there for 40 steps or to the end; or at which it is not finite.
 */
function onsetOf(steps: readonly number[], losses: readonly (number | null)[]): number | null {
  const medians = losses.map((_, at) => median(losses.slice(Math.max(0, at - 8), at + 1)));
  const initial = medians[0] ?? 0;
  let best = Number.POSITIVE_INFINITY;
  for (const [at, value] of medians.entries()) {
    if (losses[at] === null) return steps[at] ?? null;
    const limit = best + Math.max(0.4, (initial - best) / 2);
    if (Number.isFinite(best) && medians.slice(at, at + 40).every((later) => later > limit)) return steps[at] ?? null;
    best = Math.min(best, value);
  }
  return null;
}

function median(values: readonly (number | null)[]): number {
  const finite = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  return finite[Math.floor(finite.length / 2)] ?? Number.NaN;
}
