import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fitForecast } from '@evenkeel/stability';
import { action, count, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { judged, type Splitting } from '../bench-forecast/forecast.ts';
import { type RunSet, readRunSet } from '../bench-forecast/run-set.ts';
import { costLine, tablesOf } from '../bench-forecast/tables.ts';
import { COMMITTED_RUNS } from '../committed-runs.ts';

const flags = z.object({
  runs: flag(z.array(z.string()).default([COMMITTED_RUNS]), {
    value: '<folder...>',
    help: 'folders of recordings: with a labels.json they are cross-validated, without one judged as shipped',
    shownDefault: 'the runs of our own trainer that come with the command',
  }),
  folds: flag(count.default(10), {
    value: '<n>',
    help: 'folds of labeled runs; each is tested on a model fitted to the others',
  }),
  repeats: flag(count.default(5), { value: '<n>', help: 'cross-validations, each with a new split' }),
  out: flag(z.string().optional(), {
    value: '<folder>',
    help: 'write the tables (forecast.md) and the plot (forecast.svg) here',
  }),
  fit: toggle('only print the constants that are fitted to all runs, for packages/stability/src/forecast/model.ts'),
});
type Flags = z.output<typeof flags>;

export function benchForecastCommand(): Command {
  const command = new Command('forecast').description('score the forecast and other detectors on recorded runs');
  return action(command, flags, async (given) => {
    const sets: RunSet[] = [];
    for (const folder of given.runs) sets.push(await readRunSet(folder));
    if (given.fit) console.log(fitForecast(sets.flatMap(({ runs }) => runs)));
    else await bench(sets, given);
  });
}

const HOW_TO_READ =
  'Shares are of the divergences whose first alarm came before the onset; leads are the steps between the two, in the median; false alarms are the healthy runs with any alarm.';

async function bench(sets: readonly RunSet[], { folds, repeats, out }: Flags): Promise<void> {
  const more = Array.from({ length: repeats - 1 }, (_, at) => at + 1);
  const splitting: Splitting = { folds, seeds: [0, ...more] };
  const all = sets.map((set) => judged(set, splitting));
  const tables = all.flatMap((set) => tablesOf(set, splitting));
  const text = [HOW_TO_READ, '', ...tables, costLine(sets.flatMap(({ runs }) => runs))].join('\n');
  console.log(text);
  if (!out) return;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'forecast.md'), `${text}\n`);
  const { plotOf } = await import('../bench-forecast/plot.ts'); // and Vega with it
  await writeFile(join(out, 'forecast.svg'), await plotOf(all));
}
