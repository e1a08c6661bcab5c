import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fitForecast } from '@evenkeel/stability';
import { Command, Option } from 'commander';
import { judged, type Splitting } from '../bench-forecast/forecast.ts';
import { plotOf } from '../bench-forecast/plot.ts';
import { type RunSet, readRunSet } from '../bench-forecast/run-set.ts';
import { costLine, tablesOf } from '../bench-forecast/tables.ts';
import { COMMITTED_RUNS } from '../committed-runs.ts';
import { readCount } from '../numbers.ts';

interface Options {
  runs: string[];
  folds: number;
  repeats: number;
  out?: string;
  fit?: true;
}

export function benchForecastCommand(): Command {
  return new Command('forecast')
    .description('score the forecast and what else is in use on recorded runs')
    .addOption(
      new Option(
        '--runs <folder...>',
        'recordings: with a labels.json, which are cross-validated, or without, which are judged as shipped',
      ).default([COMMITTED_RUNS], 'runs of our own trainer that are always at hand'),
    )
    .option(
      '--folds <n>',
      'parts that labelled runs are split into; each is tested on what the others taught',
      readCount,
      10,
    )
    .option('--repeats <n>', 'how often, each time split anew', readCount, 5)
    .option('--out <folder>', 'write the tables (forecast.md) and the plot (forecast.svg) here')
    .option('--fit', 'only print what all runs teach: the constants of packages/stability/src/forecast/model.ts')
    .action(async (options: Options) => {
      const sets: RunSet[] = [];
      for (const folder of options.runs) sets.push(await readRunSet(folder));
      if (options.fit) console.log(fitForecast(sets.flatMap(({ runs }) => runs)));
      else await bench(sets, options);
    });
}

const HOW_TO_READ =
  'Shares are of the divergences whose first alarm came before the onset; leads are the steps between the two, in the median; false alarms are the healthy runs with any alarm.';

async function bench(sets: readonly RunSet[], { folds, repeats, out }: Options): Promise<void> {
  const more = Array.from({ length: repeats - 1 }, (_, at) => at + 1);
  const splitting: Splitting = { folds, seeds: [0, ...more] };
  const all = sets.map((set) => judged(set, splitting));
  const tables = all.flatMap((set) => tablesOf(set, splitting));
  const text = [HOW_TO_READ, '', ...tables, costLine(sets.flatMap(({ runs }) => runs))].join('\n');
  console.log(text);
  if (!out) return;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'forecast.md'), `${text}\n`);
  await writeFile(join(out, 'forecast.svg'), await plotOf(all));
}
