import { startRun } from '@evenkeel/emit';
import { expect, test } from 'vitest';
import { serve, temporaryFolder } from './evenkeel.ts';
import { hasBrowser, launchBrowser } from './in-browser.ts';

test.skipIf(!hasBrowser)(
  'a page whose server is killed says so, and catches up with no hole and no step twice',
  {
    timeout: 120_000,
  },
  async () => {
    using folder = temporaryFolder();
    const first = await serve(folder.path);
    const port = new URL(first.url).port;
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
      await using _second = await serve(folder.path, port);
      log(70);
      await newest(69);
      await page.getByText('reconnecting…').waitFor({ state: 'hidden' });

      await chart.focus();
      await page.keyboard.press('End');
      for (let at = 69; at >= 0; at--) {
        expect(await chart.getAttribute('aria-valuetext')).toMatch(new RegExp(`^step ${at} · ${3 + at}(\\.0+)?$`));
        await page.keyboard.press('ArrowLeft');
      }
      expect(await chart.getAttribute('aria-valuetext')).toMatch(/^step 0 /);
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
