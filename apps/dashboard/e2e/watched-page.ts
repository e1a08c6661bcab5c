import type { Browser, Page } from 'playwright-core';

type Options = Parameters<Browser['newPage']>[0];

/** A page, and the errors it meets; closed after use. */
export async function watchedPage(browser: Browser, url: string, options: Options = {}) {
  const page: Page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.goto(url);
  return { page, problems, [Symbol.asyncDispose]: () => page.close() };
}
