import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startRun } from '@evenkeel/emit';
import { temporaryFolder } from '@evenkeel/testing';
import { parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

const MINUTES = 60_000; // every command is a process that loads the whole program
const TOKEN = 'correct-horse-battery';

async function train(server: string, name: string): Promise<string> {
  const run = await startRun({ server, project: 'lab', name, onWarning: () => {} });
  for (let step = -1; step < 3; step++) run.log({ step, loss: step === 2 ? Number.NaN : step, custom: { acc: 0.5 } });
  await run.finish();
  return run.id;
}

/** Runs the command, and returns its exit code and what it printed. */
async function exportOf(...args: string[]): Promise<[number | null, string]> {
  await using command = evenkeel(['export', ...args], { EVENKEEL_ACCESS_TOKEN: TOKEN });
  return [await command.ended, command.output()];
}

test('runs are exported to files, those of a project under names that differ', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  using target = temporaryFolder();
  const [files, csv] = [join(target.path, 'runs'), join(target.path, 'one.csv')];
  await using server = await serve(folder.path, '0', { EVENKEEL_ACCESS_TOKEN: TOKEN });
  const where = ['--server', server.url];
  const first = await train(server.url, 'same / name');
  const second = await train(server.url, 'same / name');

  expect((await exportOf('--project', 'lab', '--out', `${files}/`, ...where))[0]).toBe(0);
  const older = `same _ name.${first}`; // the newest comes first
  const written = ['same _ name.parquet', 'same _ name.run.json', `${older}.parquet`, `${older}.run.json`];
  expect(readdirSync(files).sort()).toEqual(written.sort());
  const file = new Uint8Array(readFileSync(join(files, 'same _ name.parquet'))).buffer;
  expect(await parquetReadObjects({ file, columns: ['step', 'loss', 'acc'] })).toEqual(
    [-1, 0, 1, Number.NaN].map((loss, at) => ({ step: BigInt(at - 1), loss, acc: 0.5 })),
  );
  const facts = JSON.parse(readFileSync(join(files, 'same _ name.run.json'), 'utf8'));
  expect([facts.run.id, facts.alerts[0].rule]).toEqual([second, 'non-finite']);

  expect(await exportOf(first, '--format', 'csv', '--out', csv, ...where)).toEqual([0, `${csv}\n`]);
  expect(readFileSync(csv, 'utf8')).toMatch(/^attempt,step,time,loss,.*,acc\n1,-1,/);
  expect(await exportOf(first, '--format', 'csv', '--out', csv, ...where)).toEqual([
    1,
    expect.stringContaining(`${csv} exists already`),
  ]);
  // `--out runs` wrote a file called `runs`, into which the next export could not write.
  const folderOfOne = join(target.path, 'one');
  expect((await exportOf(first, '--out', folderOfOne, ...where))[0]).toBe(0);
  expect(readdirSync(folderOfOne).sort()).toEqual(['same _ name.parquet', 'same _ name.run.json']);
  const [code, lines] = await exportOf(first, '--format', 'jsonl', '--attempt', '1', '--out', '-', ...where);
  expect([
    code,
    lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type),
  ]).toEqual([0, ['run', 'step', 'step', 'step', 'step', 'finish']]);

  const refused: [string[], string][] = [
    [[], 'name runs by their ids, or a --project'],
    [['abc'], 'run[0]: Invalid UUID'],
    [['--project', 'nobody'], 'there are no runs in nobody'],
    [['01890a5d-ac96-774b-bcce-b302099a8059'], 'there is no run 01890a5d'],
    [[first, '--attempt', '7'], 'the run has no attempt 7'],
    [[first, second, '--out', '-'], 'several runs need a folder'],
  ];
  for (const [args, message] of refused) {
    const [exit, printed] = await exportOf('--out', join(target.path, 'refused'), ...args, ...where);
    expect([exit, printed]).toEqual([1, expect.stringContaining(message)]);
  }
  await using unsigned = evenkeel(['export', first, ...where], { EVENKEEL_ACCESS_TOKEN: '' });
  expect([await unsigned.ended, unsigned.output()]).toEqual([1, expect.stringContaining('set EVENKEEL_ACCESS_TOKEN')]);
});

test('an export that breaks off leaves no file', { timeout: 2 * MINUTES }, async () => {
  using target = temporaryFolder();
  const http = createServer((_, response) => {
    response.write('PAR1');
    setImmediate(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const file = join(target.path, 'x.parquet');
  const run = '01890a5d-ac96-774b-bcce-b302099a8059';
  writeFileSync(`${file}.part`, 'of an export that was killed');
  const [code, printed] = await exportOf(run, '--out', file, '--server', `http://127.0.0.1:${port}`);
  http.close();
  expect([code, printed]).toEqual([1, expect.stringContaining('the server broke off')]);
  expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false]);
});
