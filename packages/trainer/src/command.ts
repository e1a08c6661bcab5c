import { Command } from 'commander';
import { ADAM, defaultRank, SIZES, type TrainConfig } from './config.ts';
import { addFlags, type TrainFlags } from './flags.ts';
import type { OptimiserConfig } from './optimiser.ts';
import { applySettings, readSettings, settingsToYaml } from './settings.ts';
import { tellUsageErrors, UsageError } from './usage-error.ts';

/** What is of one start of the command and not of the run: it does not come from a file, nor is it kept in one. */
const OF_THE_COMMAND = ['key', 'config', 'dryRun', 'resume'];

/**
 * What is of the place where a run is trained, and given anew to go on: a checkpoint may come from elsewhere, and must
 * not decide where a key is sent or which file is written.
 */
const OF_THE_PLACE = ['server', 'offline', 'record', 'checkpoint'];

/** `evenkeel train`: its flags, each checked as it is read, and what it does. */
export function trainCommand(): Command {
  const command = new Command('train').description('train a small GPT-2 and stream every step to a server');
  addFlags(command);
  return command.action(() => tellUsageErrors(command, () => run(command)));
}

async function run(command: Command): Promise<void> {
  const flags = await resolveFlags(command);
  if (flags.dryRun) {
    process.stdout.write(settingsToYaml(settingsOf(flags)));
    return;
  }
  const { trainAndTell } = await import('./session.ts'); // TensorFlow.js takes a while to load
  const { status } = await trainAndTell(flags);
  if (status === 'failed') process.exitCode = 1;
}

/**
 * The flags that hold: the command line goes before the file of `--config`, and that before the checkpoint of
 * `--resume`. What depends on the size is filled in.
 * @throws UsageError where a setting is wrong, or settings do not go together.
 */
export async function resolveFlags(command: Command): Promise<TrainFlags> {
  const { config, resume } = command.opts<TrainFlags>();
  if (config) applySettings(command, await readSettings(config), { file: config, except: OF_THE_COMMAND });
  if (resume) {
    const { readCheckpointAbout } = await import('./checkpoint.ts'); // and TensorFlow.js with it
    const { settings } = await readCheckpointAbout(resume);
    applySettings(command, omit(settings, OF_THE_PLACE), { file: resume, except: OF_THE_COMMAND });
  }
  const flags = command.opts<TrainFlags>();
  checkReactions(flags);
  const { layers = SIZES[flags.size].layers, heads = SIZES[flags.size].heads } = flags;
  const { dim = SIZES[flags.size].dim, context = SIZES[flags.size].context } = flags;
  checkHeads(heads, dim);
  return { ...flags, layers, heads, dim, context, ...rankOf(flags, dim) };
}

function checkReactions({ checkpoint, onWarning, onCritical }: TrainFlags): void {
  if (checkpoint === false && [onWarning, onCritical].includes('checkpoint'))
    throw new UsageError('--no-checkpoint: an alert is to be answered with a checkpoint');
}

function checkHeads(heads: number, dim: number): void {
  if (dim % heads !== 0)
    throw new UsageError(`--heads: ${heads} heads do not share a dimension (--dim) of ${dim} evenly`);
  if (dim === heads)
    throw new UsageError(`--heads: ${heads} heads leave one dimension each of --dim ${dim}; 2 are needed`);
}

function rankOf({ attention, rank }: TrainFlags, dim: number): { rank?: number } {
  if (attention !== 'mlra') {
    if (rank !== undefined) throw new UsageError('--rank goes with --attention mlra');
    return {};
  }
  if (rank !== undefined && rank > dim)
    throw new UsageError(`--rank: ${rank} is above the dimension (--dim) of ${dim}`);
  return { rank: rank ?? defaultRank(dim) };
}

/** The settings of the run, as a file of `--config` and a checkpoint hold them. */
export function settingsOf(flags: TrainFlags): Record<string, unknown> {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return omit(Object.fromEntries(given), OF_THE_COMMAND);
}

/** The same as a checkpoint holds them. */
export function settingsToKeep(flags: TrainFlags): Record<string, unknown> {
  return omit(settingsOf(flags), OF_THE_PLACE);
}

function omit(settings: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)));
}

/** What resolved flags come to, with a vocabulary of so many tokens. */
export function toConfig(flags: TrainFlags, vocabulary: number): TrainConfig {
  const { layers, heads, dim, context, tie, attention, norm } = flags as Required<TrainFlags>;
  const { steps, batch, microBatches, clip, seed, schedule: kind, lr: peak, warmup } = flags;
  const { rampFrom, rampFactor, rampUntil = steps, restartEvery } = flags;
  return {
    model: { layers, heads, dim, context, vocabulary, tie, attention, rank: flags.rank ?? null, norm },
    optimiser: optimiserOf(flags),
    schedule: { kind, peak, warmup, steps, rampFrom, rampFactor, rampUntil, restartEvery },
    ...{ steps, batch, microBatches, clip, seed },
  };
}

function optimiserOf({ optimiser: name, momentum, weightDecay }: TrainFlags): OptimiserConfig {
  return name === 'adamw' ? { name, ...ADAM, weightDecay } : { name, momentum, weightDecay };
}
