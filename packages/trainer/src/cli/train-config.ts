import { ADAM, type OptimizerConfig, type TrainConfig } from '../config.ts';
import type { TrainFlags } from './flags.ts';

/** Flags that belong to one call of the command and not to the run: they are never read from a file, nor kept in one. */
export const COMMAND_FLAGS = ['key', 'config', 'dryRun', 'resume'];

/**
 * Flags that belong to the place where a run is trained, and are given again to resume it: a checkpoint may come from
 * elsewhere, and must not decide where a key is sent or which file is written.
 */
export const PLACE_FLAGS = ['server', 'offline', 'record', 'checkpoint'];

/** The settings of the run, as a file of `--config` holds them. */
export function settingsOf(flags: TrainFlags): Record<string, unknown> {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return omit(Object.fromEntries(given), COMMAND_FLAGS);
}

/** The settings of the run, as a checkpoint holds them. */
export function settingsToKeep(flags: TrainFlags): Record<string, unknown> {
  return omit(settingsOf(flags), PLACE_FLAGS);
}

export function omit(settings: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)));
}

/** The config of resolved flags, for a vocabulary of this size. */
export function toConfig(flags: TrainFlags, vocabulary: number): TrainConfig {
  const { layers, heads, dim, context, tie, attention, norm } = flags as Required<TrainFlags>;
  const { steps, batch, microBatches, clip, seed, schedule: kind, lr: peak, floor, warmup } = flags;
  const { rampFrom, rampFactor, rampUntil = steps, restartEvery } = flags;
  return {
    model: { layers, heads, dim, context, vocabulary, tie, attention, rank: flags.rank ?? null, norm },
    optimizer: optimizerOf(flags),
    schedule: { kind, peak, floor, warmup, steps, rampFrom, rampFactor, rampUntil, restartEvery },
    steps,
    batch,
    microBatches,
    clip,
    seed,
  };
}

function optimizerOf({ optimizer: name, momentum, weightDecay }: TrainFlags): OptimizerConfig {
  return name === 'adamw' ? { name, ...ADAM, weightDecay } : { name, momentum, weightDecay };
}
