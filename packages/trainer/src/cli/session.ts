import { join } from 'node:path';
import { uuidv7 } from '@evenkeel/emit';
import { printable } from '@evenkeel/protocol';
import { type Backend, chooseBackend } from '../backend.ts';
import { type Checkpoint, readCheckpoint, restore } from '../checkpoint.ts';
import type { TrainConfig } from '../config.ts';
import { type Corpus, evaluationBatches, openCorpus } from '../data/corpus.ts';
import { Instruments } from '../instruments.ts';
import type { NamedVariable } from '../layer.ts';
import { Model } from '../model.ts';
import { createOptimizer, type Optimizer } from '../optimizer.ts';
import { type Outcome, train } from '../train.ts';
import { UsageError } from '../usage-error.ts';
import { CheckpointKeeper } from './checkpoint-keeper.ts';
import { CommandQueue } from './command-queue.ts';
import type { TrainFlags } from './flags.ts';
import { Progress } from './progress.ts';
import { openRunLog, type RunFacts } from './run-log.ts';
import { settingsToKeep, toConfig } from './train-config.ts';

/**
 * One attempt of a run from its start to its end: trains a model, and reports every step to a server or a file. Ctrl-C
 * and the server's stop command end it after the current step, with a checkpoint; a second Ctrl-C ends the process.
 */
export async function trainAndReport(flags: TrainFlags): Promise<Outcome> {
  const checkpoint = flags.resume ? await readCheckpoint(flags.resume) : null;
  const backend = await chooseBackend(flags.backend);
  console.log(`backend ${backend.name}: ${backend.reason}`);
  await using corpus = await openText(flags, checkpoint);
  const config = toConfig(flags, corpus.vocabulary);
  const model = new Model(config.model, config.seed);
  const optimizer = createOptimizer(model.layers, config.optimizer);
  try {
    if (checkpoint) resume(checkpoint, config, variablesOf(model, optimizer));
    console.log(`model ${describeModel(flags, model)}`);
    return await attempt({ flags, checkpoint, backend, corpus, config, model, optimizer });
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}

function resume(checkpoint: Checkpoint, { steps }: TrainConfig, variables: readonly NamedVariable[]): void {
  restore(checkpoint, variables);
  const done = checkpoint.about.steps;
  if (done >= steps) throw new UsageError(`--resume: all ${steps} steps are done; give --steps more than ${done}`);
}

interface Session {
  flags: TrainFlags;
  /** What the attempt resumes from. */
  checkpoint: Checkpoint | null;
  backend: Backend;
  corpus: Corpus;
  config: TrainConfig;
  model: Model;
  optimizer: Optimizer;
}

async function attempt(session: Session): Promise<Outcome> {
  const { flags, config, model, optimizer, corpus, checkpoint } = session;
  const facts = describeRun(session);
  const instruments = await createInstruments(session);
  const progress = flags.quiet ? null : new Progress(config.steps, process.stdout, now);
  const commands = new CommandQueue(checkpoint?.about.lrFactor ?? 1, (line) => progress?.print(line));
  const keeper = await openKeeper(session, facts, commands);
  const log = await openRunLog(flags, facts, commands.receive);
  console.log(`run ${facts.id}${facts.attempt > 1 ? `, attempt ${facts.attempt}` : ''}, ${log.place}`);
  const signal = AbortSignal.any([log.signal, interrupted()]);
  try {
    if (checkpoint) await keeper?.claim(checkpoint.about.steps);
    const outcome = await train({
      config,
      model,
      optimizer,
      instruments,
      signal,
      now,
      text: corpus.training,
      from: checkpoint?.about.steps ?? 0,
      beforeStep: async (steps) => {
        await commands.execute(steps, keeper);
        return commands.lrFactor;
      },
      report: (step) => {
        log.log(step);
        progress?.show(step);
      },
      onFinite: async (steps) => keeper?.update(steps),
    });
    progress?.end();
    const kept = (await keeper?.end(outcome)) ?? null;
    commands.end(outcome, kept);
    console.log(outcome.reason ? printable(`${outcome.status}: ${outcome.reason}`) : outcome.status);
    for (const line of describeCosts(instruments)) console.log(line);
    if (kept)
      console.log(
        `checkpoint ${kept}${outcome.status === 'stopped' ? `: resume with "evenkeel train --resume ${kept}"` : ''}`,
      );
    await log.finish(outcome.status, outcome.reason);
    return outcome;
  } catch (error) {
    commands.end({ status: 'failed', steps: 0 }, null);
    await log.finish('failed', String(error));
    throw error;
  }
}

async function openText({ text, tokenizer, heldOut, context, quiet }: TrainFlags, checkpoint: Checkpoint | null) {
  const corpus = await openCorpus({ paths: text, tokenizer, heldOut, context: context as number }, (share) => {
    if (!quiet && process.stdout.isTTY) process.stdout.write(`\rencoding the text: ${Math.floor(100 * share)} %`);
  });
  console.log(`text ${corpus.source}, ${corpus.training.length} tokens, and ${corpus.heldOut.length} held out`);
  if (checkpoint && checkpoint.about.text !== corpus.fingerprint) {
    console.warn('the text differs from the one that the run began with: the run continues with this one');
  }
  return corpus;
}

function describeModel({ size, attention, rank, layers, dim, norm }: TrainFlags, model: Model): string {
  const how = attention === 'mlra' ? `mlra of rank ${rank}` : attention;
  return `${size}, ${layers} layers of ${dim}, ${how}, ${norm}-norm, ${model.parameterCount} parameters`;
}

function describeRun({ flags, checkpoint, config, model, backend, corpus }: Session): RunFacts {
  const { size, attention } = flags;
  return {
    id: checkpoint?.about.run ?? uuidv7(Date.now()),
    attempt: (checkpoint?.about.attempt ?? 0) + 1,
    name: flags.name ?? `${size}, ${attention}, seed ${config.seed}`,
    config: { ...config, size, parameters: model.parameterCount, backend: backend.name, text: corpus.source },
    layers: model.layers.map(({ name }) => name),
  };
}

async function createInstruments({ flags, config, model, corpus }: Session): Promise<Instruments> {
  const { batch, microBatches, steps } = config;
  const heldOut = await evaluationBatches(corpus.heldOut, flags.evalSequences, batch, config.model.context);
  const intervals = {
    tev: flags.tevEvery,
    gradVar: flags.gradVarEvery,
    activations: flags.activationsEvery,
    evaluation: heldOut.length > 0 ? flags.evalEvery : 0,
  };
  return new Instruments({ intervals, model, steps, microBatches, batch, heldOut, now });
}

function openKeeper({ flags, corpus, model, optimizer }: Session, { id, attempt }: RunFacts, commands: CommandQueue) {
  if (flags.checkpoint === false) return null;
  return CheckpointKeeper.open({
    path: flags.checkpoint ?? flags.resume ?? join('checkpoints', `${id}.safetensors`),
    every: flags.checkpointEvery,
    about: { run: id, attempt, text: corpus.fingerprint, settings: settingsToKeep(flags) },
    lrFactor: () => commands.lrFactor,
    variables: variablesOf(model, optimizer),
  });
}

function variablesOf(model: Model, optimizer: Optimizer): NamedVariable[] {
  return [...model.variables, ...optimizer.variables];
}

const MEASURES = { tev: 'TEV', gradVar: 'gradient variance', activations: 'activations', evaluation: 'evaluation' };

/** The time that each instrument took. */
function describeCosts({ costs, elapsed }: Instruments): string[] {
  const each = [...costs].map(([instrument, { measurements, milliseconds }]) => {
    const share = rounded((100 * milliseconds) / elapsed);
    return `${MEASURES[instrument]} ${rounded(milliseconds / measurements)} ms each, ${share} % of the time`;
  });
  return each.length > 0 ? [`instruments: ${each.join('; ')}`] : [];
}

/** To two significant digits, never as a power of ten. */
function rounded(value: number): number {
  return Number(value.toPrecision(2));
}

function now(): number {
  return performance.now();
}

function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return controller.signal;
}
