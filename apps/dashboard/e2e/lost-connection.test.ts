import { makeDataDir } from '@evenkeel/db/testing-template';
import { startRun } from '@evenkeel/emit';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { hasBrowser, launchBrowser } from './in-browser.ts';
import { serve } from './serve.ts';

test.skipIf(!hasBrowser)(
  'a page whose server is killed says so, and catches up with no hole and no step twice',
  {
    timeout: 240_000,
  },
  async () => {
    using folder = temporaryFolder();
    await makeDataDir(folder.path);
    const first = await serve({ dataDir: folder.path });
    const port = Number(new URL(first.url).port);
    const run = await startRun({ server: first.url, project: 'p', name: 'watched', onWarning: () => {} });
    let step = 0;
    const log = (until: number) => {
      for (; step < until; step++) run.log({ step, loss: 3 + step, tevMean: 0.1 });
    };
    log(30);
    await run.drained();
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(`${first.url}/runs/${run.id}`);
      const chart = page.getByRole('slider', { name: 'Loss by step' });
      const newest = (last: number) => page.waitForFunction(isNewest, last, { timeout: 60_000 });
      await newest(29);
      first.child.kill('SIGKILL');
      await first.ended;
      await page.getByText('reconnecting…').waitFor();
      log(60); // kept by the emitter
      await using _second = await serve({ dataDir: folder.path, port });
      log(70);
      await newest(69);
      await page.getByText('reconnecting…').waitFor({ state: 'hidden' });

      await chart.focus();
      /** What the chart says of its steps, from the newest on backwards. */
      const words = async () => {
        const said: (string | null)[] = [];
        for (let at = 69; at >= -1; at--) {
          await page.keyboard.press(at === 69 ? 'End' : 'ArrowLeft');
          said.push(await chart.getAttribute('aria-valuetext'));
        }
        return said;
      };
      const all = Array.from({ length: 70 }, (_, at) => new RegExp(`^step ${69 - at} · ${72 - at}(\\.0+)?$`));
      // 0 twice, since there is none before it
      await expect.poll(words).toEqual([...all, /^step 0 /].map((said) => expect.stringMatching(said)));
      await run.finish();
    } finally {
      await browser.close();
    }
  },
);

/** In the page: whether the chart of the loss reaches to a step. */
function isNewest(last: number): boolean {
  return document.querySelector('[aria-label="Loss by step"]')?.getAttribute('aria-valuemax') === String(last);
}
