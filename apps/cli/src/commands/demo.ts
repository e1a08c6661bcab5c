import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printable } from '@evenkeel/protocol';
import { action, count, flag } from '@evenkeel/terminal';
import type { Command } from 'commander';
import open from 'open';
import { z } from 'zod';
import { type Client, connect } from '../client.ts';
import { environment } from '../environment.ts';
import { interrupted, serverCommand, serverFlags, startFromFlags, untilStopped } from '../server-options.ts';

const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url)); // seen from dist
const PROGRESS_MS = 5_000;

/** Three real runs on the same text; the third is a copy of the second, with a policy that stops it. */
const RUNS: readonly { name: string; flags: readonly string[]; keepsState?: true }[] = [
  { name: 'healthy', flags: [] },
  { name: 'rising learning rate', flags: ['--schedule', 'ramp'] },
  {
    name: 'rising, stopped early',
    flags: ['--schedule', 'ramp', '--on-critical', 'stop'],
    keepsState: true,
  },
];

const flags = serverFlags.extend({
  steps: flag(count.default(600), { value: '<count>', help: 'steps of each run' }),
  open: flag(z.boolean().default(true), { negated: 'do not open a browser' }),
});

export function demoCommand(): Command {
  const command = serverCommand('demo').description(
    'start a server and train three small models on it: two diverge, and a policy stops one of them in time',
  );
  return action(command, flags, demo);
}

async function demo({ steps, open: wantsBrowser, ...serverOptions }: z.output<typeof flags>): Promise<void> {
  const stop = interrupted();
  await using server = await startFromFlags(serverOptions, { stop });
  const client = connect(server.url);
  const key = await trainerKey(client);
  console.log(`\n  Evenkeel is at ${server.url}\n`);
  if (wantsBrowser && process.stdout.isTTY) await open(server.url).catch(() => undefined);
  const since = new Date();
  const checkpoint = join(serverOptions.dataDir, 'checkpoints', 'demo.safetensors');
  const trainers = RUNS.map((run) => {
    const state = run.keepsState ? ['--checkpoint', checkpoint] : ['--no-checkpoint'];
    return startTrainer(run, ['--server', server.url, '--steps', String(steps), ...state], key);
  });
  const progress = setInterval(() => void printProgress(client, since), PROGRESS_MS);
  const allEnded = Promise.all(trainers.map(ended)).then(() => 'all ended' as const);
  const stopped = untilStopped(stop, server);
  try {
    const first = await Promise.race([stopped, allEnded]);
    clearInterval(progress);
    if (first === 'all ended') {
      await printProgress(client, since);
      console.log(`\n  All trainings have ended; the dashboard stays at ${server.url} until Ctrl-C.\n`);
    }
    await stopped;
  } finally {
    clearInterval(progress);
    for (const trainer of trainers) trainer.kill('SIGTERM');
  }
  await allEnded;
}

/** The key that the trainers present: the environment's, or one made for this demo where the database has keys. */
async function trainerKey({ apiKey }: Client): Promise<{ EVENKEEL_KEY?: string }> {
  if (environment.key !== null || (await apiKey.list.query()).length === 0) return {};
  const { secret } = await apiKey.create.mutate({ name: 'demo' });
  return { EVENKEEL_KEY: secret };
}

/**
 * A trainer is a process of its own, in a process group of its own: it outlives the server and is not hit by the
 * Ctrl-C that the terminal sends to this process.
 */
function startTrainer(
  { name, flags }: (typeof RUNS)[number],
  moreFlags: readonly string[],
  key: { EVENKEEL_KEY?: string },
): ChildProcess {
  const fixed = ['train', '--project', 'demo', '--name', name, '--quiet'];
  const trainer = spawn(process.execPath, [PROGRAM, ...fixed, ...flags, ...moreFlags], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...key },
  });
  trainer.unref();
  return trainer;
}

async function ended(trainer: ChildProcess): Promise<void> {
  if (trainer.exitCode === null && trainer.signalCode === null) await once(trainer, 'exit');
}

async function printProgress(client: Client, since: Date): Promise<void> {
  const { runs } = await client.run.list.query({ project: 'demo', limit: RUNS.length }).catch(() => ({ runs: [] }));
  const ours = runs.filter((run) => run.startedAt >= since);
  console.log(printable(ours.map(describe).reverse().join('  |  ')) || 'waiting for the first step');
}

function describe({
  name,
  status,
  lastStep,
  loss,
  openAlerts,
}: Awaited<ReturnType<Client['run']['list']['query']>>['runs'][number]): string {
  const alerts = openAlerts.map(({ rule, step }) => `, ${rule} at step ${step}`).join('');
  return `${name}: ${status === 'running' ? '' : `${status}, `}step ${lastStep ?? 0}, loss ${loss?.toFixed(3) ?? '–'}${alerts}`;
}
