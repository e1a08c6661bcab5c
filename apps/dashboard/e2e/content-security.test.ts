import { startRun } from '@evenkeel/emit';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeInBrowser } from './in-browser.ts';

const TOKEN = 'a token for this test';
const UNKNOWN = '01890a5d-ac96-774b-bcce-b302099a8058';

/** What a page keeps of itself from its first moment on. */
interface Watched {
  /** What its policy has stopped: the directive, then what was stopped. */
  violations: string[];
  /** The color scheme as the first content came in. */
  firstScheme: string | null;
  injected?: string;
}

describeInBrowser('content security policy', { accessToken: TOKEN }, (dashboard) => {
  let run: Awaited<ReturnType<typeof startRun>>;
  let context: BrowserContext;
  let alertPath = '';

  beforeAll(async () => {
    run = await startRun({ server: dashboard.url, project: 'lab', name: 'watched', onWarning: () => {} });
    for (let step = 0; step < 20; step++) run.log({ step, loss: 2, tevMean: 0.1 });
    run.log({ step: 20, loss: Number.NaN });
    await run.drained();
    context = await dashboard.browser.newContext({ colorScheme: 'dark', viewport: { width: 1280, height: 900 } });
    await context.addInitScript(watch);
    const page = await context.newPage();
    await page.goto(`${dashboard.url}/alerts`);
    await page.getByLabel('Access token').fill(TOKEN);
    await page.keyboard.press('Enter');
    const link = page.getByRole('link', { name: /^non-finite at step 20/ });
    alertPath = (await link.getAttribute('href')) ?? '';
    await page.close();
  });

  afterAll(async () => {
    await run.finish();
    await context.close();
  });

  test('a token that is sent before any script has run is in no address', async () => {
    const page = await dashboard.browser.newPage();
    await page.route('**/*.js', (route) => route.abort());
    await page.goto(`${dashboard.url}/signin`);
    await page.getByLabel('Access token').fill(TOKEN);
    const sent = page.waitForRequest((request) => request.isNavigationRequest());
    await page.keyboard.press('Enter');
    expect([(await sent).method(), (await sent).url()]).toEqual(['POST', `${dashboard.url}/signin`]);
    await page.close();
  });

  /** Every page: how it is reached, a heading or text that it has once it is there, and whether it is live. */
  const pages: [name: string, path: () => string, shows: RegExp, isLive: boolean][] = [
    ['the board', () => '/', /^watched$/, true],
    ['the wall', () => '/?wall', /^watched$/, true],
    ['a run', () => `/runs/${run.id}`, /^watched$/, true],
    ['the alerts', () => '/alerts', /^non-finite at step 20/, true],
    ['an alert', () => alertPath, /^non-finite at step 20/, true],
    ['compared runs', () => `/compare?runs=${run.id}`, /^watched$/, true],
    ['the rules', () => '/projects/lab/rules', /rules/i, false],
    ['sign-in', () => '/signin', /^Sign in to Evenkeel$/, false],
    ['no page', () => '/nothing-here', /^There is nothing here$/, false],
    ['no run', () => `/runs/${UNKNOWN}`, /^There is no such run$/, true],
    ['no alert', () => `/alerts/${UNKNOWN}/${UNKNOWN}`, /^There is no such alert$/, false],
  ];

  describe.each(pages)('%s', (_name, path, shows, isLive) => {
    test('runs under its policy, and an injected script does not', async () => {
      const page = await context.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      const live = joinedLive(page);
      const response = await page.goto(dashboard.url + path());
      const policy = response?.headers()['content-security-policy'] ?? '';
      expect(policy).toMatch(/script-src 'self' 'nonce-[^']+';/);
      await page.getByText(shows).first().waitFor();
      await isInteractive(page);
      if (isLive) await live;

      const status = response?.status() ?? 0;
      expect(problems.filter((problem) => !(status === 404 && problem.includes('status of 404')))).toEqual([]);
      expect(await watchedIn(page)).toEqual({ violations: [], firstScheme: 'dark' });
      await page.evaluate(inject);
      await expect.poll(async () => (await watchedIn(page)).violations).toHaveLength(4);
      const { violations, injected } = await watchedIn(page);
      expect(new Set(violations)).toEqual(
        new Set([
          'script-src-elem inline',
          'script-src-attr inline',
          'base-uri http://elsewhere.example/',
          'connect-src ws://127.0.0.1:9/',
        ]),
      );
      expect(injected).toBeUndefined();
      await page.close();
    });
  });
});

/** Resolves once the server has let the page into its live namespace. */
function joinedLive(page: Page): Promise<void> {
  return new Promise((resolve) => {
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => String(payload).startsWith('40/live') && resolve()),
    );
  });
}

/** Resolves once scripts have taken the page over: its help opens. */
async function isInteractive(page: Page): Promise<void> {
  const help = page.getByRole('dialog', { name: 'Keyboard' });
  const button = page.getByRole('button', { name: 'Keyboard help', includeHidden: true });
  await expect
    .poll(async () => {
      if (!(await help.isVisible())) await button.dispatchEvent('click'); // the wall hides it
      return help.isVisible();
    })
    .toBe(true);
}

function watchedIn(page: Page): Promise<Watched> {
  return page.evaluate(() => (window as unknown as { watched: Watched }).watched);
}

/** In the page, before anything of it: keeps what the policy stops, and in which colors the first content comes. */
function watch(): void {
  const watched: Watched = { violations: [], firstScheme: null };
  Object.assign(window, { watched });
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
    watched.violations.push(`${effectiveDirective} ${blockedURI}`);
  });
  const observer = new MutationObserver(() => {
    if (!document.querySelector('main')) return;
    watched.firstScheme = document.documentElement.getAttribute('data-mantine-color-scheme');
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true }); // calls before the browser paints
}

/** In the page, as markup that got into it would: by an element, by an attribute, by a base and by a websocket. */
function inject(): void {
  const script = document.createElement('script');
  script.textContent = "window.watched.injected = 'element'";
  document.body.append(script);
  const image = document.createElement('div');
  image.innerHTML = `<img src="data:," onerror="window.watched.injected = 'attribute'">`;
  document.body.append(image);
  const base = document.createElement('base');
  base.href = 'http://elsewhere.example/';
  document.head.append(base);
  try {
    new WebSocket('ws://127.0.0.1:9/');
  } catch {
    // some versions throw, others only report
  }
}
