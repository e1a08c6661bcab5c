import { startRun } from '@evenkeel/emit';
import { chooseBackend } from './backend.ts';
import type { TrainFlags } from './command.ts';
import type { TrainConfig } from './config.ts';
import { Model } from './model.ts';
import { Progress } from './progress.ts';
import { loadText } from './text.ts';
import { type Outcome, train } from './train.ts';

/**
 * One run from its start to its end: a model is trained, and a server hears of every step.
 * Ctrl-C and the server's stop command end it after the step in hand; a second Ctrl-C ends the process.
 */
export async function trainAndStream(config: TrainConfig, flags: TrainFlags): Promise<Outcome> {
  const backend = await chooseBackend(flags.backend);
  console.log(`backend ${backend.name}: ${backend.reason}`);
  const text = await loadText(flags.text, config.model.context);
  console.log(`text ${text.source}, ${text.tokens.length} bytes`);
  const model = new Model(config.model, config.seed);
  console.log(`model ${flags.size}, ${model.parameterCount} parameters`);

  const run = await startRun({
    ...{ server: flags.server, key: flags.key || undefined, project: flags.project, owner: flags.owner },
    ...{ name: flags.name ?? `${flags.size}, seed ${config.seed}`, tags: flags.tags, notes: flags.notes },
    config: { ...config, size: flags.size, parameters: model.parameterCount, backend: backend.name, text: text.source },
    layers: model.layers.map(({ name }) => name),
  });
  console.log(`run ${run.id} on ${flags.server}`);
  const progress = flags.quiet ? null : new Progress(config.steps, process.stdout, Date.now);
  const signal = AbortSignal.any([run.signal, interrupted()]);
  try {
    const outcome = await train(config, model, text, signal, (step) => {
      run.log(step);
      progress?.show(step);
    });
    progress?.end();
    console.log(outcome.reason ? `${outcome.status}: ${outcome.reason}` : outcome.status);
    await run.finish(outcome.status, outcome.reason);
    return outcome;
  } catch (error) {
    await run.finish('failed', String(error));
    throw error;
  } finally {
    model.dispose();
  }
}

function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return controller.signal;
}
