import {
  MAX_NOTES_LENGTH,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  name,
  type Policy,
  parse,
  policy,
  RefusedError,
  text,
} from '@evenkeel/protocol';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  ATTENTIONS,
  type Attention,
  BACKENDS,
  type BackendName,
  NORMS,
  type Norm,
  OPTIMISERS,
  SIZES,
} from './config.ts';
import type { OptimiserConfig } from './optimiser.ts';
import { SCHEDULES, type Schedule } from './schedule.ts';
import { DEFAULT_TEXT } from './text.ts';
import { TOKENIZERS, type TokenizerName } from './tokenizer.ts';

/** The flags of `evenkeel train`, checked one by one. */
export interface TrainFlags {
  server: string;
  key?: string;
  project: string;
  name?: string;
  owner?: string;
  tags: string[];
  notes: string;
  onWarning: string;
  onCritical: string;
  offline: boolean;
  record?: string;
  /** False where no checkpoint is wanted. */
  checkpoint?: string | false;
  checkpointEvery: number;
  resume?: string;
  config?: string;
  dryRun: boolean;
  quiet: boolean;
  size: keyof typeof SIZES;
  layers?: number;
  heads?: number;
  dim?: number;
  context?: number;
  tie: boolean;
  attention: Attention;
  rank?: number;
  norm: Norm;
  text: string[];
  tokenizer: TokenizerName;
  heldOut: number;
  batch: number;
  microBatches: number;
  steps: number;
  lr: number;
  warmup: number;
  schedule: Schedule['kind'];
  rampFrom: number;
  rampFactor: number;
  rampUntil?: number;
  restartEvery: number;
  optimiser: OptimiserConfig['name'];
  momentum: number;
  weightDecay: number;
  clip: number;
  seed: number;
  tevEvery: number;
  gradVarEvery: number;
  activationsEvery: number;
  evalEvery: number;
  evalSequences: number;
  backend: BackendName | 'auto';
}

export function addFlags(command: Command): void {
  addRunFlags(command);
  addFileFlags(command);
  addModelFlags(command);
  addTrainingFlags(command);
  addInstrumentFlags(command);
}

function addRunFlags(command: Command): void {
  command
    .optionsGroup('The run:')
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
    .addOption(reaction('--on-warning <reaction>', 'what a warning of its rules does to it'))
    .addOption(reaction('--on-critical <reaction>', 'what a critical alert does to it'))
    .option('--quiet', 'print no progress', false);
}

function addFileFlags(command: Command): void {
  command
    .optionsGroup('Files:')
    .option(
      '--config <file>',
      'settings by the names of these flags (microBatches: 8), as YAML or JSON; flags go before it',
    )
    .option('--dry-run', 'print the settings that hold, as such a file, and train nothing', false)
    .option('--offline', 'send nothing; the run is recorded, and "evenkeel import" brings it to a server', false)
    .option('--record <file>', 'write the run as JSON lines (default: with --offline, RUN.jsonl)')
    .option('--checkpoint <file>', 'where the state is kept, as safetensors (default: checkpoints/RUN.safetensors)')
    .option('--no-checkpoint', 'keep no state')
    .option('--checkpoint-every <steps>', 'write it so often; 0 only at the end, or when stopped', whole(0), 100)
    .option('--resume <file>', 'go on from a checkpoint, with its settings but those of files, as the next attempt');
}

function addModelFlags(command: Command): void {
  command
    .optionsGroup('Model:')
    .addOption(new Option('--size <name>', 'model size').choices(Object.keys(SIZES)).default('nano'))
    .option('--layers <count>', 'blocks, instead of the size’s', whole(1))
    .option('--heads <count>', 'attention heads, instead of the size’s', whole(1))
    .option('--dim <count>', 'model dimension, instead of the size’s', whole(2))
    .option('--context <tokens>', 'tokens in a sequence, instead of the size’s', whole(2))
    .option('--tie', 'the head is the token embedding', true)
    .option('--no-tie', 'the head has weights of its own')
    .addOption(new Option('--attention <name>', 'attention').choices(ATTENTIONS).default('mha'))
    .option('--rank <count>', 'with mlra, the rank of its projections (default: half the dimension)', whole(1))
    .addOption(new Option('--norm <place>', 'layer norm before or after a sublayer').choices(NORMS).default('pre'));
}

function addTrainingFlags(command: Command): void {
  command
    .optionsGroup('Training:')
    .addOption(new Option('--text <path...>', 'files, folders of text files, or globs').default([], DEFAULT_TEXT.name))
    .addOption(new Option('--tokenizer <name>', 'what a token is').choices(TOKENIZERS).default('bytes'))
    .option('--held-out <share>', 'share of the text, at its end, that is evaluated on', share, 0.05)
    .option('--batch <count>', 'sequences in a micro-batch', whole(1), 3)
    .option('--micro-batches <count>', 'micro-batches in a step', whole(1), 4)
    .option('--steps <count>', 'optimiser steps', whole(1), 600)
    .option('--lr <rate>', 'peak learning rate', positive, 4e-3)
    .option('--warmup <steps>', 'steps until the peak', whole(0), 60)
    .addOption(new Option('--schedule <name>', 'learning rate schedule').choices(SCHEDULES).default('cosine'))
    .option('--ramp-from <step>', 'with the ramp schedule, the step from which the rate grows', whole(0), 120)
    .option('--ramp-factor <factor>', 'with the ramp schedule, its growth a step', positive, 1.03)
    .option(
      '--ramp-until <step>',
      'with the ramp schedule, the step from which the rate stays (default: none)',
      whole(0),
    )
    .option('--restart-every <steps>', 'with the restarts schedule, the steps from peak to peak', whole(2), 100)
    .addOption(new Option('--optimiser <name>', 'optimiser').choices(OPTIMISERS).default('adamw'))
    .option('--momentum <factor>', 'with sgd', notNegative, 0.9)
    .option('--weight-decay <rate>', 'weight decay of the matrices', notNegative, 0.1)
    .option('--clip <norm>', 'largest norm of the gradient; 0 clips nothing', notNegative, 0)
    .option('--seed <number>', 'the same seed gives the same losses', whole(0), 1)
    .addOption(new Option('--backend <name>', 'compute backend').choices(['auto', ...BACKENDS]).default('auto'));
}

function addInstrumentFlags(command: Command): void {
  command
    .optionsGroup('Instruments, each so many steps (0: never):')
    .option('--tev-every <steps>', 'TEV and its quantiles', whole(0), 1)
    .option('--grad-var-every <steps>', 'gradient variance by layer, and noise scale', whole(0), 1)
    .option('--activations-every <steps>', 'output variance by layer, and the largest attention logit', whole(0), 10)
    .option('--eval-every <steps>', 'loss and perplexity on held-out text; also at the last step', whole(0), 100)
    .option('--eval-sequences <count>', 'held-out sequences to evaluate on, at most', whole(1), 64);
}

/** A whole number from `least` on that int32 holds. */
export function whole(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= 0x7fffffff) return number;
    throw new InvalidArgumentError(`Not a whole number from ${least} on.`);
  };
}

function share(value: string): number {
  const number = notNegative(value);
  if (number <= 0.5) return number;
  throw new InvalidArgumentError('Not a share from 0 to 0.5.');
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

const REACTIONS = 'observe, checkpoint, stop, or reduce-lr=FACTOR';

function reaction(flags: string, what: string): Option {
  const read = (value: string) => {
    const isWhole = value.startsWith('reduce-lr') === value.includes('=');
    if (!isWhole) throw new InvalidArgumentError(`Not one of ${REACTIONS}.`);
    accepted(() => parse(policy, { critical: reactionOf(value) }));
    return value;
  };
  return new Option(flags, `${what}: ${REACTIONS}`).argParser(read).default('observe');
}

/** `reduce-lr=0.5` → `{ kind: 'reduce-lr', factor: 0.5 }` */
function reactionOf(value: string): unknown {
  const [kind, ...factor] = value.split('=');
  return factor.length === 0 ? { kind } : { kind, factor: Number(factor.join('=')) };
}

/** What the server is to do about alerts of the run. */
export function policyOf({ onWarning, onCritical }: TrainFlags): Policy {
  return parse(policy, { warning: reactionOf(onWarning), critical: reactionOf(onCritical) });
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
