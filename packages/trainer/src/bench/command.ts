import { Command, Option } from 'commander';
import { BACKENDS, type BackendName } from '../config.ts';
import { whole } from '../flags.ts';
import { tellUsageErrors, UsageError } from '../usage-error.ts';
import { measureApart, measureTorch } from './processes.ts';
import { type Bench, reportOf } from './report.ts';
import type { Workload } from './workload.ts';

interface BenchFlags extends Workload {
  backend?: BackendName;
  json: boolean;
}

/** `evenkeel bench train`: what a training step takes, on every backend that there is, and in PyTorch. */
export function benchTrainCommand(): Command {
  const command = new Command('train')
    .description('time training steps on every backend that is installed, beside PyTorch on one thread')
    .option('--layers <count>', 'blocks', whole(1), 6)
    .option('--heads <count>', 'attention heads', whole(1), 4)
    .option('--dim <count>', 'model dimension', whole(1), 128)
    .option('--context <tokens>', 'tokens in a sequence', whole(1), 128)
    .option('--vocabulary <count>', 'tokens that there are', whole(1), 256)
    .option('--batch <count>', 'sequences in a step', whole(1), 8)
    .option('--steps <count>', 'steps to time, at most', whole(1), 10)
    .addOption(new Option('--backend <name>', 'time this one alone, in this process').choices(BACKENDS))
    .option('--json', 'print one line of JSON', false);
  return command.action(() => tellUsageErrors(command, () => run(command)));
}

async function run(command: Command): Promise<void> {
  const { backend, json, ...workload } = command.opts<BenchFlags>();
  if (workload.dim % workload.heads !== 0)
    throw new UsageError(`--heads: ${workload.heads} heads do not share a dimension of ${workload.dim} evenly`);
  const bench = backend ? await measureOne(workload, backend) : await measureAll(workload, command);
  console.log(json ? JSON.stringify(bench) : reportOf(bench).join('\n'));
}

async function measureOne(workload: Workload, backend: BackendName): Promise<Bench> {
  const { measure } = await import('./measure.ts'); // TensorFlow.js takes a while to load
  return { workload, backends: [await measure(backend, workload)], torch: { absent: 'not timed with --backend' } };
}

/**
 * One after the other: they would take each other's time. The slowest goes first, so that those whose speeds are compared
 * are timed soon after each other, on a machine that may have other work.
 */
async function measureAll(workload: Workload, command: Command): Promise<Bench> {
  const flags = Object.entries(workload).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const backends: Bench['backends'] = [];
  for (const backend of BACKENDS.toReversed()) {
    console.error(`timing ${backend} …`);
    backends.push({ backend, ...(await measureApart(backend, [...wordsOf(command), ...flags])) });
  }
  console.error('timing PyTorch …');
  return { workload, backends, torch: await measureTorch(workload) };
}

/** How a command is called from the program's name on. */
function wordsOf(command: Command): string[] {
  return command.parent ? [...wordsOf(command.parent), command.name()] : [];
}
