import { action } from '@evenkeel/terminal';
import { Command } from 'commander';
import { defaultRank, SIZES } from '../config.ts';
import { requirePackages, TENSORFLOW } from '../optional-packages.ts';
import { reportUsageErrors, UsageError } from '../usage-error.ts';
import { type TrainFlags, trainFlags } from './flags.ts';
import { applySettings, readSettings, settingsToYaml } from './settings.ts';
import { COMMAND_FLAGS, omit, PLACE_FLAGS, settingsOf } from './train-config.ts';

/** Gives a command the flags and the action of `evenkeel train`. TensorFlow.js is loaded once it trains. */
export function trainCommand(command = new Command('train')): Command {
  return action(command, trainFlags, () => reportUsageErrors(command, () => run(command)));
}

async function run(command: Command): Promise<void> {
  const flags = await resolveFlags(command);
  if (flags.dryRun) {
    process.stdout.write(settingsToYaml(settingsOf(flags)));
    return;
  }
  requirePackages(TENSORFLOW);
  const { trainAndReport } = await import('./session.ts');
  const { status } = await trainAndReport(flags);
  if (status === 'failed') process.exitCode = 1;
}

/**
 * The values that apply: a flag of the command line comes before the file of `--config`, and that before the checkpoint
 * of `--resume`. What depends on the size is filled in.
 * @throws UsageError where a setting is wrong, or settings do not go together.
 */
export async function resolveFlags(command: Command): Promise<TrainFlags> {
  const { config, resume } = command.opts<TrainFlags>();
  if (config) applySettings(command, await readSettings(config), { file: config, except: COMMAND_FLAGS });
  if (resume) {
    requirePackages(TENSORFLOW);
    const { readCheckpointAbout } = await import('../checkpoint.ts');
    const { settings } = await readCheckpointAbout(resume);
    applySettings(command, omit(settings, PLACE_FLAGS), { file: resume, except: COMMAND_FLAGS });
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
