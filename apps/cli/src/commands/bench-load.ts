import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { action, count, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { BenchDatabase } from '../bench/database.ts';
import { inNewFolder } from '../bench/folder.ts';
import { BenchServer } from '../bench/server.ts';
import { type Build, buildOf, THIS_BUILD } from '../bench/tree.ts';
import { mebibytes, milliseconds } from '../bench/units.ts';
import { type Acks, measureAcks } from '../bench-load/acks.ts';
import { RawEmitter } from '../bench-load/emitter.ts';
import { LOADS, type Outcome } from '../bench-load/loads.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { interrupted } from '../server-options.ts';
import { printTable } from '../table.ts';

const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url)); // seen from dist
/** Before a load begins: the server has loaded its pages by then. */
const SETTLE_MS = 3_000;
const MEASURED_MS = 12_000;
/** For acknowledgements that are still out when the measured time ends. */
const GRACE_MS = 1_000;

const flags = z.object({
  before: flag(z.string().optional(), {
    value: '<ref>',
    help: 'also measure the server of this commit, installed and built in a new folder',
  }),
  runs: flag(count.default(9_700), { value: '<n>', help: 'runs that are stored before' }),
  json: toggle('print one JSON object per line'),
});
type Flags = z.output<typeof flags>;

/** The effect of one load on one build. */
interface Measured {
  build: string;
  load: string;
  acks: Acks;
  /** Bytes; 0 where the system does not report it. */
  peak: number;
  outcome: Outcome;
}

export function benchLoadCommand(): Command {
  const command = new Command('load')
    .description(
      'time the acknowledgements of eight calm emitters while one reader or one emitter overloads the server',
    )
    .addHelpText('after', '\nDATABASE_URL=postgres://… measures on PostgreSQL, in databases created for it.');
  return action(command, flags, (given) => inNewFolder((folder) => bench(folder, given)));
}

async function bench(folder: string, options: Flags): Promise<void> {
  const builds = [THIS_BUILD];
  if (options.before) builds.unshift(await buildOf(options.before, folder));
  const measured: Measured[] = [];
  for (const build of builds) measured.push(...(await measureBuild(build, join(folder, build.name), options)));
  print(measured, options);
}

/** Each load runs in a process of its own: internal command for `measureBuild`. */
export function loadCommand(): Command {
  return new Command('load-part')
    .argument('<url>')
    .argument('<load>')
    .action(async (url: string, name: string) => {
      const load = LOADS.find((known) => known.name === name);
      if (!load) throw new Failure(`there is no load "${name}"`);
      const outcome: Outcome = {};
      await Promise.race([load.run(url, outcome), interrupted()]); // interrupted, it prints the outcome so far
      console.log(JSON.stringify(outcome));
      process.exit();
    });
}

async function measureBuild({ name: build, tree }: Build, dataDir: string, { runs }: Flags): Promise<Measured[]> {
  await using database = environment.databaseUrl === null ? null : await BenchDatabase.create(environment.databaseUrl);
  const databaseUrl = database?.url ?? null;
  await fill(tree, dataDir, databaseUrl, runs);
  const measured: Measured[] = [];
  for (const { name: load } of LOADS) {
    console.error(`${build}: ${load} …`);
    await using server = await BenchServer.start({ tree, dataDir, databaseUrl });
    await sleep(SETTLE_MS);
    const ending = new AbortController();
    const outcome = runLoad(server.url, load, ending.signal);
    const over = load === 'idle' ? sleep(MEASURED_MS / 2) : Promise.race([outcome, sleep(MEASURED_MS)]);
    const acks = await measureAcks(server.url, over, GRACE_MS);
    ending.abort();
    measured.push({ build, load, acks, peak: server.peakBytes, outcome: await outcome });
  }
  return measured;
}

/** Through the build itself: each has its own tables. */
async function fill(tree: string, dataDir: string, databaseUrl: string | null, runs: number): Promise<void> {
  console.error(`storing ${runs} runs …`);
  await using server = await BenchServer.start({ tree, dataDir, databaseUrl });
  using emitter = new RawEmitter(server.url);
  await emitter.storeRuns(runs);
}

async function runLoad(url: string, load: string, signal: AbortSignal): Promise<Outcome> {
  const child = spawn(process.execPath, [PROGRAM, 'load-part', url, load], { stdio: ['ignore', 'pipe', 'inherit'] });
  signal.addEventListener('abort', () => child.kill('SIGTERM'));
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return JSON.parse(text);
}

function print(measured: readonly Measured[], { json }: Flags): void {
  if (json) {
    for (const each of measured) console.log(JSON.stringify(each));
    return;
  }
  const rows = LOADS.flatMap(({ name }) =>
    measured
      .filter(({ load }) => load === name)
      .map(({ build, load, acks: { p50, p99, max, missing }, peak, outcome }) => [
        load,
        build,
        ...[p50, p99, max].map(milliseconds),
        String(missing),
        mebibytes(peak),
        Object.entries(outcome)
          .map(([what, count]) => `${what}: ${count}`)
          .join(', '),
      ]),
  );
  printTable([['load', 'build', 'ack p50', 'p99', 'max', 'no ack', 'memory', 'answers'], ...rows]);
}
