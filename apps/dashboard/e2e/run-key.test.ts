import { createApiKey, openDatabase } from '@evenkeel/db';
import { startRun } from '@evenkeel/emit';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { connect } from './client.ts';
import { describeInBrowser } from './in-browser.ts';

const keys = { cluster: '', laptop: '' };
const ids: string[] = [];

async function createKeys(dataDir: string): Promise<void> {
  await using db = await openDatabase({ dataDir });
  for (const name of ['cluster', 'laptop'] as const) {
    const { key, secret } = await createApiKey(db, name, new Date());
    keys[name] = secret;
    ids.push(key.id);
  }
}

describeInBrowser('the key of a run', { fill: createKeys }, (dashboard) => {
  test('a run is taken over once its key is revoked, and its page names the key of each attempt', async () => {
    const start = { server: dashboard.url, project: 'lab', name: 'owned', onWarning: () => {} };
    const first = await startRun({ ...start, key: keys.cluster });
    first.log({ step: 0, loss: 2 });
    expect(await first.finish('failed', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });

    const second = { ...start, id: first.id, attempt: 3 }; // the server was away for all of attempt 2
    const warnings: string[] = [];
    const refused = await startRun({ ...second, key: keys.laptop, onWarning: (warning) => warnings.push(warning) });
    await expect.poll(() => warnings[0]).toMatch(/run: the run belongs to another ingest key/);
    expect(await refused.finish()).toMatchObject({ delivered: false });

    await connect(dashboard.url).apiKey.revoke.mutate({ id: ids[0] ?? '' });
    const next = await startRun({ ...second, key: keys.laptop });
    next.log({ step: 1, loss: 2 });
    expect(await next.finish('finished', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });

    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${first.id}`);
    const attempts = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Key' }) });
    await attempts.waitFor();
    const cells = attempts.locator('tbody td:last-child');
    await expect.poll(() => cells.allTextContents()).toEqual(['cluster', 'laptop', 'laptop']);
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
  });
});
