import { loadavg } from 'node:os';
import { action, count, flag, toggle, whole } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { inNewFolder } from '../bench/folder.ts';
import { type Measured, measureTarget, targetsOf } from '../bench-doors/measure.ts';
import { tableOf } from '../bench-doors/report.ts';
import { environment } from '../environment.ts';
import { printTable } from '../table.ts';

const flags = z.object({
  clients: flag(count.default(20), { value: '<n>', help: 'clients, each with a run of its own' }),
  metrics: flag(count.default(10), { value: '<n>', help: 'metrics of a step' }),
  steps: flag(count.default(10), { value: '<n>', help: 'steps of a request' }),
  duration: flag(count.default(10), { value: '<seconds>', help: 'time that is measured' }),
  warmup: flag(whole.default(3), { value: '<seconds>', help: 'warm-up before that' }),
  mlflowPython: flag(z.string().optional(), {
    value: '<path>',
    help: 'a Python that has the package mlflow, whose server is measured too',
  }),
  profile: flag(z.string().optional(), { value: '<folder>', help: 'write CPU profiles of our server' }),
  json: toggle('print one JSON object per line'),
});

export function benchDoorsCommand(): Command {
  const command = new Command('doors')
    .description('measure how many values per second clients of MLflow and W&B log, beside MLflow’s own server')
    .addHelpText(
      'after',
      '\nDATABASE_URL names a PostgreSQL server: each server is also measured on a database there.',
    );
  return action(command, flags, (given) => inNewFolder((folder) => bench(folder, given)));
}

async function bench(folder: string, { json, mlflowPython, profile, ...given }: z.output<typeof flags>): Promise<void> {
  const { databaseUrl } = environment;
  const places = { folder, databaseUrl, python: mlflowPython ?? null, profile: profile ?? null };
  if (places.python === null) console.error('no --mlflow-python: the server of MLflow is left out');
  if (databaseUrl === null) console.error('no DATABASE_URL: PostgreSQL is left out');
  const { clients, metrics, steps } = given;
  const load = { clients, metrics, steps, durationMs: 1_000 * given.duration, warmupMs: 1_000 * given.warmup };
  const measured: Measured[] = [];
  for (const target of targetsOf(places)) {
    console.error(`${target.server} on ${target.database}, clients of ${target.client}: measuring …`);
    const each = await measureTarget(target, load, places);
    measured.push(each);
    if (json) console.log(JSON.stringify({ ...each, load }));
  }
  if (!json) {
    printTable(tableOf(measured));
    console.log(
      `load average, 1 · 5 · 15 minutes: ${loadavg()
        .map((load) => load.toFixed(1))
        .join(' · ')}`,
    );
  }
}
