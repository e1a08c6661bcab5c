import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey, openDatabase } from '@evenkeel/db';
import { startRun } from '@evenkeel/emit';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { evenkeel, temporaryFolder } from './evenkeel.ts';
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
    expect(await first.finish('failed')).toMatchObject({ delivered: true });

    const second = { ...start, id: first.id, attempt: 3 }; // the server was away for all of attempt 2
    const warnings: string[] = [];
    const refused = await startRun({ ...second, key: keys.laptop, onWarning: (warning) => warnings.push(warning) });
    expect(await refused.finish()).toMatchObject({ delivered: false });
    expect(warnings[0]).toMatch(/run: the run belongs to another ingest key/);

    await using revoke = evenkeel(['key', 'revoke', ids[0] ?? '', '--server', dashboard.url]);
    expect(await revoke.ended).toBe(0);
    const next = await startRun({ ...second, key: keys.laptop });
    next.log({ step: 1, loss: 2 });
    expect(await next.finish()).toMatchObject({ delivered: true });

    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${first.id}`);
    const attempts = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Key' }) });
    await attempts.waitFor();
    const cells = attempts.locator('tbody td:last-child');
    expect(await cells.allTextContents()).toEqual(['cluster', 'laptop', 'laptop']);
    expect(await seriousProblems(page)).toEqual([]);
    await page.close();
  });

  test('the same key imports a recording again, from whichever attempt on, and another key does not', async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'resumed.jsonl');
    const lines = [5, 6].flatMap((attempt) => [
      { type: 'run', id: 'resumed', attempt },
      { type: 'step', step: attempt, loss: 1 },
      { type: 'finish', status: 'stopped' },
    ]);
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const importWith = async (key: string) => {
      await using run = evenkeel(['import', file, '--server', dashboard.url], { EVENKEEL_KEY: key });
      return { code: await run.ended, output: run.output() };
    };
    for (let time = 0; time < 2; time++) expect(await importWith(keys.laptop)).toMatchObject({ code: 0 });
    await using create = evenkeel(['key', 'create', 'other', '--json', '--server', dashboard.url]);
    expect(await create.ended).toBe(0);
    const { code, output } = await importWith(JSON.parse(create.output()).secret);
    expect([code, output]).toEqual([1, expect.stringContaining('the run belongs to another ingest key')]);
  });
});
