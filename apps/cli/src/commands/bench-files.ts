import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { action, count, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { BenchDatabase } from '../bench/database.ts';
import { inNewFolder } from '../bench/folder.ts';
import { mebibytes } from '../bench/units.ts';
import { type Measured, measureFiles, writeEventFiles } from '../bench-files/measure.ts';
import { environment } from '../environment.ts';
import { printTable } from '../table.ts';

const flags = z.object({
  size: flag(count.default(200), { value: '<MB>', help: 'size of the files together, in millions of bytes' }),
  runs: flag(count.default(4), { value: '<n>', help: 'runs, a file each' }),
  tags: flag(count.default(20), { value: '<n>', help: 'scalars of a step, each a record of its own' }),
  json: toggle('print one JSON object per line'),
});

export function benchFilesCommand(): Command {
  const command = new Command('files')
    .description('measure how fast TensorBoard event files are decoded and imported')
    .addHelpText('after', '\nThe import goes to a new server, on PostgreSQL where DATABASE_URL names one.');
  return action(command, flags, (given) => inNewFolder((folder) => bench(folder, given)));
}

async function bench(folder: string, { size, runs, tags, json }: z.output<typeof flags>): Promise<void> {
  const [logs, dataDir] = [join(folder, 'logs'), join(folder, 'data')];
  await mkdir(dataDir);
  console.error('writing event files …');
  const files = await writeEventFiles(logs, { bytes: 1e6 * size, runs, tags });
  const { databaseUrl } = environment;
  await using database = databaseUrl === null ? null : await BenchDatabase.create(databaseUrl);
  const measured: Measured[] = [];
  for await (const each of measureFiles(files, dataDir, database?.url ?? null)) {
    measured.push(each);
    if (json) console.log(JSON.stringify({ ...each, bytes: files.bytes, runs, tags }));
  }
  if (!json) printTable(tableOf(measured));
}

function tableOf(measured: readonly Measured[]): string[][] {
  return [
    ['', 'MB a second', 'values a second', 'peak memory', 'load average'],
    ...measured.map(({ what, megabytesPerSecond, valuesPerSecond, peakBytes, loadAverage }) => [
      what,
      megabytesPerSecond.toFixed(1),
      Math.round(valuesPerSecond).toLocaleString('en'),
      peakBytes === null ? '–' : mebibytes(peakBytes),
      loadAverage.map((load) => load.toFixed(1)).join(' · '),
    ]),
  ];
}
