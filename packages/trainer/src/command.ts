import { MAX_NOTES_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, name, parse, RefusedError, text } from '@evenkeel/protocol';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ADAM, BACKENDS, type BackendName, SIZES, type TrainConfig } from './config.ts';
import { SCHEDULES, type Schedule } from './schedule.ts';
import { DEFAULT_TEXT, VOCABULARY } from './text.ts';
import { UsageError } from './usage-error.ts';

/** The flags, checked one by one. */
export interface TrainFlags {
  server: string;
  key?: string;
  project: string;
  name?: string;
  owner?: string;
  tags: string[];
  notes: string;
  text?: string;
  size: keyof typeof SIZES;
  layers?: number;
  heads?: number;
  dim?: number;
  context?: number;
  tie: boolean;
  batch: number;
  microBatches: number;
  steps: number;
  lr: number;
  warmup: number;
  schedule: Schedule['kind'];
  rampFrom: number;
  rampFactor: number;
  weightDecay: number;
  clip: number;
  seed: number;
  backend: BackendName | 'auto';
  quiet: boolean;
}

/** `evenkeel train`: its flags, each checked as it is read, and what it does. */
export function trainCommand(): Command {
  const command = new Command('train').description('train a small GPT-2 and stream every step to a server');
  addRunOptions(command);
  addModelOptions(command);
  addTrainingOptions(command);
  return command.action(async (flags: TrainFlags) => {
    try {
      const config = toConfig(flags);
      const { trainAndStream } = await import('./session.ts'); // TensorFlow.js takes a while to load
      const { status } = await trainAndStream(config, flags);
      if (status === 'failed') process.exitCode = 1;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      command.error(`error: ${error.message}`);
    }
  });
}

/**
 * What the flags come to.
 * @throws UsageError where flags do not go together.
 */
export function toConfig(flags: TrainFlags): TrainConfig {
  const { size, steps, batch, microBatches, clip, seed, weightDecay, rampFrom, rampFactor } = flags;
  const { layers = SIZES[size].layers, heads = SIZES[size].heads } = flags;
  const { dim = SIZES[size].dim, context = SIZES[size].context } = flags;
  if (dim % heads !== 0)
    throw new UsageError(`--heads: ${heads} heads do not share a dimension (--dim) of ${dim} evenly`);
  if (dim === heads)
    throw new UsageError(`--heads: ${heads} heads leave one dimension each of --dim ${dim}; 2 are needed`);
  return {
    model: { layers, heads, dim, context, vocabulary: VOCABULARY, tie: flags.tie },
    optimiser: { ...ADAM, weightDecay },
    schedule: { kind: flags.schedule, peak: flags.lr, warmup: flags.warmup, steps, rampFrom, rampFactor },
    ...{ steps, batch, microBatches, clip, seed },
  };
}

function addRunOptions(command: Command): void {
  command
    .addOption(
      new Option('--server <url>', 'the server that takes the steps')
        .env('EVENKEEL_SERVER')
        .argParser(readServer)
        .default('http://127.0.0.1:4870'),
    )
    .addOption(new Option('--key <key>', 'ingest key, where the server asks for one').env('EVENKEEL_KEY'))
    .option('--project <name>', 'project that the run belongs to', readName, 'trainer')
    .option('--name <name>', 'name of the run (default: its size and seed)', readName)
    .option('--owner <name>', 'whose run it is', readName)
    .addOption(new Option('--tags <tags>', 'tags, with commas between them').argParser(readTags).default([], 'none'))
    .addOption(new Option('--notes <text>', 'notes').argParser(readNotes).default('', 'none'))
    .option('--quiet', 'print no progress', false);
}

function addModelOptions(command: Command): void {
  command
    .addOption(new Option('--size <name>', 'model size').choices(Object.keys(SIZES)).default('nano'))
    .option('--layers <count>', 'blocks, instead of the size’s', whole(1))
    .option('--heads <count>', 'attention heads, instead of the size’s', whole(1))
    .option('--dim <count>', 'model dimension, instead of the size’s', whole(2))
    .option('--context <tokens>', 'tokens in a sequence, instead of the size’s', whole(2))
    .option('--tie', 'the head is the token embedding', true)
    .option('--no-tie', 'the head has weights of its own');
}

function addTrainingOptions(command: Command): void {
  command
    .option('--text <path>', `file, or folder of text files (default: ${DEFAULT_TEXT.name})`)
    .option('--batch <count>', 'sequences in a micro-batch', whole(1), 3)
    .option('--micro-batches <count>', 'micro-batches in a step', whole(1), 4)
    .option('--steps <count>', 'optimiser steps', whole(1), 600)
    .option('--lr <rate>', 'peak learning rate', positive, 4e-3)
    .option('--warmup <steps>', 'steps until the peak', whole(0), 60)
    .addOption(new Option('--schedule <name>', 'learning rate schedule').choices(SCHEDULES).default('cosine'))
    .option('--ramp-from <step>', 'with the ramp schedule, the step from which the rate grows', whole(0), 120)
    .option('--ramp-factor <factor>', 'with the ramp schedule, its growth a step', positive, 1.03)
    .option('--weight-decay <rate>', 'decoupled weight decay of the matrices', notNegative, 0.1)
    .option('--clip <norm>', 'largest norm of the gradient; 0 clips nothing', notNegative, 0)
    .option('--seed <number>', 'the same seed gives the same losses', whole(0), 1)
    .addOption(new Option('--backend <name>', 'compute backend').choices(['auto', ...BACKENDS]).default('auto'));
}

/** A whole number from `least` on that int32 holds. */
function whole(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= 0x7fffffff) return number;
    throw new InvalidArgumentError(`Not a whole number from ${least} on.`);
  };
}

function positive(value: string): number {
  const number = notNegative(value);
  if (number > 0) return number;
  throw new InvalidArgumentError('Not above zero.');
}

function notNegative(value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new InvalidArgumentError('Not a number from zero on.');
}

function readServer(value: string): string {
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  throw new InvalidArgumentError('Not an address such as http://127.0.0.1:4870.');
}

function readName(value: string): string {
  return accepted(() => parse(name, value));
}

function readNotes(value: string): string {
  return accepted(() => parse(text(MAX_NOTES_LENGTH), value));
}

function readTags(value: string): string[] {
  const tags = value.split(',').map((tag) => tag.trim());
  if (tags.length > MAX_TAGS) throw new InvalidArgumentError(`More than ${MAX_TAGS} tags.`);
  return accepted(() => tags.filter(Boolean).map((tag) => parse(text(MAX_TAG_LENGTH), tag)));
}

/** Words a refusal of the protocol's schemas as commander wants it. */
function accepted<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RefusedError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
