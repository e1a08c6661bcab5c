import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fitForecast } from '@evenkeel/stability';
import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { judged } from '../bench-forecast/forecast.ts';
import { type RunSet, readRunSet } from '../bench-forecast/run-set.ts';
import { costLine, tablesOf } from '../bench-forecast/tables.ts';
import { COMMITTED_RUNS } from '../committed-runs.ts';

const flags = z.object({
  runs: flag(z.array(z.string()).default([COMMITTED_RUNS]), {
    value: '<folder...>',
    help: 'folders of recordings: with a labels.json they are cross-validated by kind, without one judged as shipped',
    shownDefault: 'the runs of our own trainer that come with the command',
  }),
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
    if (given.fit) console.dir(fitForecast(sets.flatMap(({ runs }) => runs)), { depth: null });
    else await bench(sets, given);
  });
}

const HOW_TO_READ =
  'Shares are of the divergences whose first alarm came before the onset, with how many came so many steps ahead; leads are the steps between the two, in the median; false alarms are the runs with any alarm of those that did not diverge, whether they stayed healthy, were hurt or were stuck.';

async function bench(sets: readonly RunSet[], { out }: Flags): Promise<void> {
  const all = sets.map(judged);
  const tables = all.flatMap(tablesOf);
  const text = [HOW_TO_READ, '', ...tables, costLine(sets.flatMap(({ runs }) => runs))].join('\n');
  console.log(text);
  if (!out) return;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'forecast.md'), `${text}\n`);
  const { plotOf } = await import('../bench-forecast/plot.ts'); // and Vega with it
  await writeFile(join(out, 'forecast.svg'), await plotOf(all));
}
