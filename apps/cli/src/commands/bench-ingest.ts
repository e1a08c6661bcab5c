import { action, count, flag, toggle, whole } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { inNewFolder } from '../bench/folder.ts';
import { buildOf, THIS_BUILD } from '../bench/tree.ts';
import { measureEcho } from '../bench-ingest/echo.ts';
import { type Measured, measureBuild, type Scene } from '../bench-ingest/measure.ts';
import { servePart } from '../bench-ingest/part.ts';
import { tableOf } from '../bench-ingest/report.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { printTable } from '../table.ts';

/** Steps of a COPY without and with custom scalars: some seconds of work at most. */
const COPIED_VALUES = 2_000_000;
const MAX_COPIED_STEPS = 200_000;
const ECHO_MS = 2_000;

const flags = z.object({
  emitters: flag(count.default(20), { value: '<n>', help: 'runs that send steps' }),
  rate: flag(whole.default(0), {
    value: '<n>',
    help: 'steps per second of each; 0 is as many as acknowledgements allow',
  }),
  batch: flag(count.default(256), { value: '<n>', help: 'steps that each logs at once' }),
  scalars: flag(count.default(6), {
    value: '<n>',
    help: 'scalars of a step: the 6 charted ones first, custom scalars after them',
  }),
  viewers: flag(whole.default(4), { value: '<n>', help: 'viewers' }),
  watched: flag(count.default(1), { value: '<n>', help: 'runs that each viewer watches' }),
  database: flag(z.enum(['pglite', 'postgres']).default('pglite'), {
    value: '<kind>',
    help: 'postgres creates a database on the server of DATABASE_URL and drops it',
  }),
  duration: flag(count.default(10), { value: '<seconds>', help: 'time that is measured' }),
  warmup: flag(count.default(4), { value: '<seconds>', help: 'warm-up before that' }),
  processes: flag(count.default(2), { value: '<n>', help: 'processes that the emitters are spread over' }),
  before: flag(z.string().optional(), {
    value: '<ref>',
    help: 'also measure the build of this commit, or of a folder with a built source tree',
  }),
  profile: flag(z.string().optional(), { value: '<folder>', help: 'write CPU profiles of the server' }),
  json: toggle('print one JSON object per line'),
});
type Flags = z.output<typeof flags>;

export function benchIngestCommand(): Command {
  const command = new Command('ingest').description(
    'measure how many steps per second are stored, judged and sent to viewers, beside COPY and a bare websocket',
  );
  return action(command, flags, (given) => inNewFolder((folder) => bench(folder, given)));
}

/** Each part of the load is a process of its own: internal command for `Part`. */
export function ingestPartCommand(): Command {
  return new Command('ingest-part').action(servePart);
}

async function bench(folder: string, options: Flags): Promise<void> {
  const scene = sceneOf(options);
  const builds = [THIS_BUILD];
  if (options.before) builds.unshift(await buildOf(options.before, folder));
  const measured: Measured[] = [];
  for (const build of builds) {
    console.error(`${build.name}: measuring …`);
    measured.push(await measureBuild(build, folder, scene));
  }
  const echoStepsPerSecond = await measureEcho(scene, ECHO_MS);
  if (options.json) for (const each of measured) console.log(JSON.stringify({ ...each, echoStepsPerSecond, options }));
  else printTable(tableOf(measured, echoStepsPerSecond));
}

function sceneOf(options: Flags): Scene {
  const { database, duration, warmup, profile, scalars } = options;
  if (database === 'postgres' && environment.databaseUrl === null)
    throw new Failure('set DATABASE_URL to a PostgreSQL server on which a database may be created');
  return {
    emitters: options.emitters,
    rate: options.rate,
    batch: options.batch,
    scalars,
    viewers: options.viewers,
    watched: options.watched,
    processes: options.processes,
    durationMs: 1_000 * duration,
    warmupMs: 1_000 * warmup,
    databaseUrl: database === 'postgres' ? environment.databaseUrl : null,
    copied: Math.min(MAX_COPIED_STEPS, Math.ceil(COPIED_VALUES / scalars)),
    profile: profile ?? null,
  };
}
