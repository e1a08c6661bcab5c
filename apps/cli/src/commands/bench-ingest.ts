import { Command, Option } from 'commander';
import { inNewFolder } from '../bench/folder.ts';
import { buildOf, THIS_BUILD } from '../bench/tree.ts';
import { measureEcho } from '../bench-ingest/echo.ts';
import { type Measured, measureBuild, type Scene } from '../bench-ingest/measure.ts';
import { servePart } from '../bench-ingest/part.ts';
import { tableOf } from '../bench-ingest/report.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { readCount, readWhole } from '../numbers.ts';
import { printTable } from '../table.ts';

/** Steps of a COPY without and with custom scalars: some seconds of work at most. */
const COPIED_VALUES = 2_000_000;
const MAX_COPIED_STEPS = 200_000;
const ECHO_MS = 2_000;

interface Options {
  emitters: number;
  rate: number;
  batch: number;
  scalars: number;
  viewers: number;
  watched: number;
  database: 'pglite' | 'postgres';
  duration: number;
  warmup: number;
  processes: number;
  before?: string;
  profile?: string;
  json?: true;
}

export function benchIngestCommand(): Command {
  return new Command('ingest')
    .description('measure how many steps a second are stored, judged and sent on, beside COPY and a bare websocket')
    .option('--emitters <n>', 'runs that send steps', readCount, 20)
    .option('--rate <n>', 'steps a second of each; 0 is as many as acknowledgements allow', readWhole, 0)
    .option('--batch <n>', 'steps that each logs at once', readCount, 256)
    .option('--scalars <n>', 'scalars of a step: the 6 charted ones first, custom scalars after them', readCount, 6)
    .option('--viewers <n>', 'viewers', readWhole, 4)
    .option('--watched <n>', 'runs that each viewer watches', readCount, 1)
    .addOption(
      new Option('--database <kind>', 'postgres creates a database on the server of DATABASE_URL and drops it')
        .choices(['pglite', 'postgres'])
        .default('pglite'),
    )
    .option('--duration <seconds>', 'how long is measured', readCount, 10)
    .option('--warmup <seconds>', 'before that', readCount, 4)
    .option('--processes <n>', 'processes that the emitters are spread over', readCount, 2)
    .option('--before <ref>', 'measure the build of this commit too; or that of a folder with a built source tree')
    .option('--profile <folder>', 'write CPU profiles of the server')
    .option('--json', 'print one JSON object a line')
    .action((options: Options) => inNewFolder((folder) => bench(folder, options)));
}

/** One part of the load is a process of its own: `Part` starts this command, which nobody else needs. */
export function ingestPartCommand(): Command {
  return new Command('ingest-part').action(servePart);
}

async function bench(folder: string, options: Options): Promise<void> {
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

function sceneOf(options: Options): Scene {
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
