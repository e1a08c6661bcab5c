import { readFile } from 'node:fs/promises';
import { startRun } from '@evenkeel/emit';
import { parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { seriousProblems } from './accessibility.ts';
import { describeInBrowser } from './in-browser.ts';

describeInBrowser('export of a run', {}, (dashboard) => {
  test('the page saves it as Parquet, CSV and a recording, under the name of the run', async () => {
    const run = await startRun({ server: dashboard.url, project: 'lab', name: 'gpt2 é', onWarning: () => {} });
    for (let step = 0; step < 3; step++) run.log({ step, loss: step === 2 ? Number.NaN : step });
    await run.finish();
    const page = await dashboard.browser.newPage();
    await page.goto(`${dashboard.url}/runs/${run.id}`);
    await page.getByRole('button', { name: 'Export' }).click();
    const menu = page.getByRole('dialog', { name: 'Export' });
    await menu.waitFor();
    expect(await seriousProblems(page)).toEqual([]);
    const save = async (title: string) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        menu.getByRole('link', { name: title }).click(),
      ]);
      return { name: download.suggestedFilename(), file: await readFile(await download.path()) };
    };
    const parquet = await save('Parquet');
    const rows = await parquetReadObjects({ file: new Uint8Array(parquet.file).buffer, columns: ['step', 'loss'] });
    expect([parquet.name, rows]).toEqual([
      'gpt2 é.parquet',
      [0, 1, Number.NaN].map((loss, step) => ({ step: BigInt(step), loss })),
    ]);
    const csv = await save('CSV');
    expect([csv.name, String(csv.file).split('\n')[0]]).toEqual([
      'gpt2 é.csv',
      expect.stringMatching(/^attempt,step,time,loss,/),
    ]);
    const recording = await save('Recording');
    const types = String(recording.file)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect([recording.name, types]).toEqual(['gpt2 é.jsonl', ['run', 'step', 'step', 'step', 'finish']]);
    await page.close();
  });
});
