import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import { serve, temporaryFolder } from './evenkeel.ts';

const executablePath = inject('chromium') ?? '';
/** To skip what needs a browser, where there is none. */
export const hasBrowser = executablePath !== '';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-sync'] });
}

/** Known from before the first test of a group until after its last. */
interface Dashboard {
  readonly url: string;
  readonly browser: Browser;
}

interface Options {
  /** Puts into the data directory what is there before the server starts. */
  fill?: (dataDir: string) => Promise<unknown>;
  env?: Record<string, string>;
}

const FILL_MS = 300_000;

/** A group of tests with a server on a data directory of its own, and a browser. */
export function describeInBrowser(name: string, { fill, env }: Options, tests: (dashboard: Dashboard) => void): void {
  describe.skipIf(!hasBrowser)(`${name}, in a browser`, () => {
    const folder = temporaryFolder();
    let server: Awaited<ReturnType<typeof serve>>;
    let browser: Browser;

    beforeAll(async () => {
      await fill?.(folder.path);
      server = await serve(folder.path, '0', env);
      browser = await launchBrowser();
    }, FILL_MS);

    afterAll(async () => {
      await browser.close();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    });

    tests({
      get url() {
        return server.url;
      },
      get browser() {
        return browser;
      },
    });
  });
}
