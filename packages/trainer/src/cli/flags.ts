import { MAX_NOTES_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, name, type Policy, parse, policy, text } from '@evenkeel/protocol';
import { flag, group, readNumber, toggle } from '@evenkeel/terminal';
import { z } from 'zod';
import { ATTENTIONS, BACKENDS, NORMS, OPTIMIZERS, SIZES } from '../config.ts';
import { DEFAULT_TEXT } from '../data/corpus.ts';
import { TOKENIZERS } from '../data/tokenizer.ts';
import { SCHEDULES } from '../schedule.ts';

/** A whole number from `min` on that int32 holds. */
export const int32 = (min: number) => z.int32().min(min);
const positive = z.number().positive();
const notNegative = z.number().min(0);

const address = z
  .string()
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    'Not an address such as http://127.0.0.1:4870',
  );

const tags = z
  .string()
  .transform((list) =>
    list
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
  )
  .pipe(z.array(text(MAX_TAG_LENGTH)).max(MAX_TAGS, `More than ${MAX_TAGS} tags`));

const REACTIONS = 'observe, checkpoint, stop, or reduce-lr=FACTOR';
const reaction = z.string().refine(isReaction, `Not one of ${REACTIONS}, with a factor between 0 and 1`);

/** The server that a command sends runs to. */
export const serverFlag = flag(address.default('http://127.0.0.1:4870'), {
  value: '<url>',
  help: 'server to send the steps to',
  env: 'EVENKEEL_SERVER',
});

export const keyFlag = flag(z.string().optional(), {
  value: '<key>',
  help: 'ingest key, if the server requires one',
  env: 'EVENKEEL_KEY',
});

const runFlags = group('The run:', {
  server: serverFlag,
  key: keyFlag,
  project: flag(name.default('trainer'), { value: '<name>', help: 'project of the run' }),
  name: flag(name.optional(), { value: '<name>', help: 'name of the run (default: its size and seed)' }),
  owner: flag(name.optional(), { value: '<name>', help: 'owner of the run' }),
  tags: flag(tags.default([]), { value: '<tags>', help: 'tags, separated by commas', shownDefault: 'none' }),
  notes: flag(text(MAX_NOTES_LENGTH).default(''), { value: '<text>', help: 'notes', shownDefault: 'none' }),
  onWarning: flag(reaction.default('observe'), {
    value: '<reaction>',
    help: `what the run does when a rule raises a warning: ${REACTIONS}`,
  }),
  onCritical: flag(reaction.default('observe'), {
    value: '<reaction>',
    help: `what the run does on a critical alert: ${REACTIONS}`,
  }),
  quiet: toggle('print no progress'),
});

const fileFlags = group('Files:', {
  config: flag(z.string().optional(), {
    value: '<file>',
    help: 'settings by the names of these flags (microBatches: 8), as YAML or JSON; flags override it',
  }),
  dryRun: toggle('print the settings as such a file, and train nothing'),
  offline: toggle('send nothing; the run is recorded, and "evenkeel import" sends it to a server'),
  record: flag(z.string().optional(), {
    value: '<file>',
    help: 'write the run as JSON lines (default: with --offline, RUN.jsonl)',
  }),
  checkpoint: flag(z.union([z.string(), z.literal(false)]).optional(), {
    value: '<file>',
    help: 'checkpoint as safetensors (default: checkpoints/RUN.safetensors)',
    negated: 'write no checkpoint',
  }),
  checkpointEvery: flag(int32(0).default(100), {
    value: '<steps>',
    help: 'steps from one checkpoint to the next; 0: only at the end',
  }),
  resume: flag(z.string().optional(), {
    value: '<file>',
    help: 'resume from a checkpoint with its settings, except for files and server, as the next attempt',
  }),
});

const sizes = Object.keys(SIZES) as (keyof typeof SIZES)[];

const modelFlags = group('Model:', {
  size: flag(z.enum(sizes).default('nano'), { value: '<name>', help: 'model size' }),
  layers: flag(int32(1).optional(), { value: '<count>', help: 'blocks (default: by size)' }),
  heads: flag(int32(1).optional(), { value: '<count>', help: 'attention heads (default: by size)' }),
  dim: flag(int32(2).optional(), { value: '<count>', help: 'model dimension (default: by size)' }),
  context: flag(int32(2).optional(), { value: '<tokens>', help: 'tokens in a sequence (default: by size)' }),
  tie: flag(z.boolean().default(true), {
    help: 'use the token embedding as the head',
    negated: 'give the head its own weights',
  }),
  attention: flag(z.enum(ATTENTIONS).default('mha'), { value: '<name>', help: 'attention' }),
  rank: flag(int32(1).optional(), {
    value: '<count>',
    help: 'mlra: rank of the projections (default: half the dimension)',
  }),
  norm: flag(z.enum(NORMS).default('pre'), { value: '<place>', help: 'layer norm before or after a sublayer' }),
});

const trainingFlags = group('Training:', {
  text: flag(z.array(z.string()).default([]), {
    value: '<path...>',
    help: 'files, folders of text files, or globs',
    shownDefault: DEFAULT_TEXT.name,
  }),
  tokenizer: flag(z.enum(TOKENIZERS).default('bytes'), { value: '<name>', help: 'what a token is' }),
  heldOut: flag(z.number().min(0).max(0.5).default(0.05), {
    value: '<share>',
    help: 'share of the text, at its end, that is held out for evaluation',
  }),
  batch: flag(int32(1).default(3), { value: '<count>', help: 'sequences in a micro-batch' }),
  microBatches: flag(int32(1).default(4), { value: '<count>', help: 'micro-batches in a step' }),
  steps: flag(int32(1).default(600), { value: '<count>', help: 'optimizer steps' }),
  lr: flag(positive.default(4e-3), { value: '<rate>', help: 'peak learning rate' }),
  warmup: flag(int32(0).default(60), { value: '<steps>', help: 'steps until the peak' }),
  schedule: flag(z.enum(SCHEDULES).default('cosine'), { value: '<name>', help: 'learning rate schedule' }),
  floor: flag(z.number().min(0).max(1).default(0.1), {
    value: '<share>',
    help: 'cosine, linear, restarts: the rate that they decay to, as a share of the peak',
  }),
  rampFrom: flag(int32(0).default(120), { value: '<step>', help: 'ramp: the step from which the rate grows' }),
  rampFactor: flag(positive.default(1.03), { value: '<factor>', help: 'ramp: growth of the rate per step' }),
  rampUntil: flag(int32(0).optional(), {
    value: '<step>',
    help: 'ramp: the step from which the rate is constant (default: none)',
  }),
  restartEvery: flag(int32(2).default(100), { value: '<steps>', help: 'restarts: steps from peak to peak' }),
  optimizer: flag(z.enum(OPTIMIZERS).default('adamw'), { value: '<name>', help: 'optimizer' }),
  momentum: flag(notNegative.default(0.9), { value: '<factor>', help: 'sgd: momentum' }),
  weightDecay: flag(notNegative.default(0.1), { value: '<rate>', help: 'weight decay of the matrices' }),
  clip: flag(notNegative.default(0), { value: '<norm>', help: 'max norm of the gradient; 0: no clipping' }),
  seed: flag(int32(0).default(1), { value: '<number>', help: 'the same seed gives the same losses' }),
  backend: flag(z.enum(['auto', ...BACKENDS]).default('auto'), { value: '<name>', help: 'compute backend' }),
});

const instrumentFlags = group('Instruments, and the steps from one measurement to the next (0: never):', {
  tevEvery: flag(int32(0).default(1), { value: '<steps>', help: 'TEV and its quantiles' }),
  gradVarEvery: flag(int32(0).default(1), {
    value: '<steps>',
    help: 'gradient variance by layer, and noise scale',
  }),
  activationsEvery: flag(int32(0).default(10), {
    value: '<steps>',
    help: 'output variance by layer, and the max attention logit',
  }),
  evalEvery: flag(int32(0).default(100), {
    value: '<steps>',
    help: 'loss and perplexity on held-out text; also at the last step',
  }),
  evalSequences: flag(int32(1).default(64), { value: '<count>', help: 'max held-out sequences to evaluate on' }),
});

/** The flags of `evenkeel train`. Their names are those of the settings of a run in files and checkpoints. */
export const trainFlags = z.object({
  ...runFlags,
  ...fileFlags,
  ...modelFlags,
  ...trainingFlags,
  ...instrumentFlags,
});
export type TrainFlags = z.output<typeof trainFlags>;

function isReaction(value: string): boolean {
  const isWhole = value.startsWith('reduce-lr') === value.includes('=');
  return isWhole && policy.safeParse({ critical: reactionOf(value) }).success;
}

/** `reduce-lr=0.5` → `{ kind: 'reduce-lr', factor: 0.5 }` */
function reactionOf(value: string): unknown {
  const [kind, ...factor] = value.split('=');
  return factor.length === 0 ? { kind } : { kind, factor: readNumber(factor.join('=')) };
}

/** The policy that the run declares to the server. */
export function policyOf({ onWarning, onCritical }: TrainFlags): Policy {
  return parse(policy, { warning: reactionOf(onWarning), critical: reactionOf(onCritical) });
}
