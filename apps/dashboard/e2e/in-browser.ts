import { makeDataDir } from '@evenkeel/db/testing-template';
import { temporaryFolder } from '@evenkeel/testing';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import { type ServerProcess, serve } from './serve.ts';

const executablePath = inject('chromium') ?? '';
/** To skip what needs a browser, where there is none. */
export const hasBrowser = executablePath !== '';

/** How long a page may take for anything: the machine may be busy. */
const PAGE_MS = 60_000;

export async function launchBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-sync'] });
  return browser.on('context', (context) => context.setDefaultTimeout(PAGE_MS));
}

/** Known from before the first test of a group until after its last. */
interface Dashboard {
  readonly url: string;
  readonly browser: Browser;
}

interface Options {
  /** Puts into the data directory what is there before the server starts. */
  fill?: (dataDir: string) => Promise<unknown>;
  /** What viewers must present; without it everybody may view. */
  accessToken?: string;
}

const FILL_MS = 300_000;

/** A group of tests with a server on a data directory of its own, and a browser. */
export function describeInBrowser(
  name: string,
  { fill, accessToken }: Options,
  tests: (dashboard: Dashboard) => void,
): void {
  describe.skipIf(!hasBrowser)(`${name}, in a browser`, () => {
    const folder = temporaryFolder();
    let server: ServerProcess;
    let browser: Browser;

    beforeAll(async () => {
      await makeDataDir(folder.path);
      await fill?.(folder.path);
      server = await serve({ dataDir: folder.path, accessToken });
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
