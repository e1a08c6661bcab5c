// Makes the README's pictures, in `docs/`, from a real demo: `node apps/cli/e2e/screenshots.mjs` after `npm start` has built
// once. Takes about two minutes. EVENKEEL_TEST_CHROMIUM names the browser; default: the one on the PATH.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'evenkeel-screenshots-'));
const flags = ['demo', '--port', '0', '--no-open', '--data-dir', folder];
const demo = spawn(process.execPath, [join(root, 'apps/cli/bin/evenkeel.mjs'), ...flags], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({
  executablePath: process.env.EVENKEEL_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});

try {
  const url = await new Promise((resolve) =>
    demo.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      const [, address] = /Evenkeel is at (\S+)/.exec(String(chunk)) ?? [];
      if (address) resolve(address);
    }),
  );
  await Promise.all(['light', 'dark'].map((scheme) => photograph(scheme, url)));
} finally {
  await browser.close();
  demo.kill('SIGTERM');
  await new Promise((resolve) => demo.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}

/** The board, the unstable run's page and all three runs compared, once the loss has followed its warning. */
async function photograph(colorScheme, url) {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1.5 });
  await page.goto(url);
  await page.getByText('loss-spike').first().waitFor({ timeout: 240_000 });
  await page.screenshot({
    path: join(root, `docs/board-${colorScheme}.png`),
    clip: { x: 0, y: 0, width: 1280, height: 330 },
  });
  await page.getByRole('link', { name: 'rising learning rate', exact: true }).click();
  await page.getByRole('heading', { name: 'Gradient variance by layer' }).waitFor();
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: join(root, `docs/run-${colorScheme}.png`) });
  await page.getByRole('link', { name: 'Runs', exact: true }).click();
  const boxes = page.getByRole('checkbox', { name: /^Compare / });
  for (const run of [0, 1, 2]) await boxes.nth(run).click();
  await page.getByRole('link', { name: 'Compare 3 runs' }).click();
  await page.getByRole('slider', { name: 'TEV, mean' }).locator('canvas').waitFor();
  await page.setViewportSize({ width: 1280, height: 1120 });
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: join(root, `docs/compare-${colorScheme}.png`) });
  await page.close();
}
