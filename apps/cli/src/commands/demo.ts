import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import open from 'open';
import { ask, type Client, connect } from '../client.ts';
import { interrupted, serverCommand, startFromFlags } from '../server-options.ts';

const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url)); // seen from dist
const PROGRESS_MS = 5_000;

/** Three real runs on the same text. */
const RUNS: readonly { name: string; flags: readonly string[] }[] = [
  { name: 'healthy', flags: ['--seed', '1'] },
  { name: 'rising learning rate', flags: ['--seed', '1', '--schedule', 'ramp'] },
  { name: 'healthy twin', flags: ['--seed', '2'] },
];

export function demoCommand(): Command {
  return serverCommand('demo')
    .description('start a server and train three small models on it, one of which is made to diverge')
    .option('--steps <count>', 'steps of each run', '600')
    .option('--no-open', 'do not open a browser')
    .action(async ({ steps, open: wantsBrowser, ...flags }) => {
      const stop = interrupted();
      const server = await startFromFlags(flags);
      console.log(`\n  Evenkeel is at ${server.url}\n`);
      if (wantsBrowser && process.stdout.isTTY) await open(server.url).catch(() => undefined);
      const trainers = RUNS.map((run) => startTrainer(run, server.url, steps));
      const client = connect(server.url);
      const since = new Date();
      const progress = setInterval(() => void printProgress(server.url, client, since), PROGRESS_MS);
      await stop;
      clearInterval(progress);
      await Promise.all(trainers.map(endTrainer));
      await server.close();
    });
}

/**
 * A trainer is a process of its own, in a process group of its own: it outlives the server and is not hit by the
 * Ctrl-C that the terminal sends to this process.
 */
function startTrainer({ name, flags }: (typeof RUNS)[number], url: string, steps: string): ChildProcess {
  const fixed = ['train', '--server', url, '--project', 'demo', '--name', name, '--steps', steps, '--quiet'];
  const trainer = spawn(process.execPath, [PROGRAM, ...fixed, ...flags], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  trainer.unref();
  return trainer;
}

async function endTrainer(trainer: ChildProcess): Promise<void> {
  if (trainer.exitCode !== null || trainer.signalCode !== null) return;
  const ended = new Promise((resolve) => trainer.once('exit', resolve));
  trainer.kill('SIGTERM');
  await ended;
}

async function printProgress(url: string, client: Client, since: Date): Promise<void> {
  const runs = await ask(url, client.run.list.query({ project: 'demo', limit: RUNS.length })).catch(() => []);
  const ours = runs.filter((run) => run.startedAt >= since);
  console.log(ours.map(describe).reverse().join('  |  ') || 'waiting for the first step');
}

function describe({
  name,
  status,
  lastStep,
  loss,
  openAlerts,
}: Awaited<ReturnType<Client['run']['list']['query']>>[number]): string {
  const alerts = openAlerts.map(({ rule, step }) => `, ${rule} at step ${step}`).join('');
  return `${name}: ${status === 'running' ? '' : `${status}, `}step ${lastStep ?? 0}, loss ${loss?.toFixed(3) ?? '–'}${alerts}`;
}
