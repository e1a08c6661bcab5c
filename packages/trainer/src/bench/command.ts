import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { int32 } from '../cli/flags.ts';
import { BACKENDS, type BackendName } from '../config.ts';
import { requirePackages, TENSORFLOW } from '../optional-packages.ts';
import { reportUsageErrors, UsageError } from '../usage-error.ts';
import { measureApart, measureTorch } from './processes.ts';
import { type Bench, reportOf } from './report.ts';
import type { Workload } from './workload.ts';

const benchFlags = z.object({
  layers: flag(int32(1).default(6), { value: '<count>', help: 'blocks' }),
  heads: flag(int32(1).default(4), { value: '<count>', help: 'attention heads' }),
  dim: flag(int32(1).default(128), { value: '<count>', help: 'model dimension' }),
  context: flag(int32(1).default(128), { value: '<tokens>', help: 'tokens in a sequence' }),
  vocabulary: flag(int32(1).default(256), { value: '<count>', help: 'size of the vocabulary' }),
  batch: flag(int32(1).default(8), { value: '<count>', help: 'sequences in a step' }),
  steps: flag(int32(1).default(10), { value: '<count>', help: 'max steps to time' }),
  backend: flag(z.enum(BACKENDS).optional(), { value: '<name>', help: 'time only this one, in this process' }),
  json: toggle('print one line of JSON'),
});

/** Gives a command the flags and the action of `evenkeel bench train`. TensorFlow.js is loaded once it measures. */
export function benchTrainCommand(command = new Command('train')): Command {
  return action(command, benchFlags, (flags) => reportUsageErrors(command, () => run(command, flags)));
}

async function run(command: Command, { backend, json, ...workload }: z.output<typeof benchFlags>): Promise<void> {
  if (workload.dim % workload.heads !== 0)
    throw new UsageError(`--heads: ${workload.heads} heads do not share a dimension of ${workload.dim} evenly`);
  const bench = backend ? await measureOne(workload, backend) : await measureAll(workload, command);
  console.log(json ? JSON.stringify(bench) : reportOf(bench).join('\n'));
}

async function measureOne(workload: Workload, backend: BackendName): Promise<Bench> {
  requirePackages(TENSORFLOW);
  const { measure } = await import('./measure.ts');
  return { workload, backends: [await measure(backend, workload)], torch: { absent: 'not timed with --backend' } };
}

/**
 * Measures one backend after the other, since they would slow each other down. The slowest is first, so that those whose
 * speeds are compared are timed close to each other, on a machine that may have other work.
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

/** The words that call a command, after the program's name. */
function wordsOf(command: Command): string[] {
  return command.parent ? [...wordsOf(command.parent), command.name()] : [];
}
