import { randomUUID } from 'node:crypto';
import { MAX_BATCH_STEPS, parse, runStart, type StepEvent } from '@evenkeel/protocol';
import { openDatabase } from '../open.ts';
import { rollUp } from '../writes/rollup.ts';
import { finishRun, startRun } from '../writes/run.ts';
import { insertSteps } from '../writes/step.ts';

/** A wave with noise that repeats; the loss of one step is 50, and that of another is not a number. */
export const SPIKE = { spikeAt: 654_321, nanAt: 123_456, height: 50 };

/** Names as trainers of large models log them. */
export function scalarNames(count: number): string[] {
  const parts = [
    'attention.q_proj',
    'attention.k_proj',
    'attention.v_proj',
    'attention.out_proj',
    'mlp.up',
    'mlp.down',
  ];
  return Array.from({ length: count }, (_, at) => {
    return `layers.${Math.floor(at / parts.length)}.${parts[at % parts.length]}/grad_norm`;
  });
}

function aStep(step: number, names: readonly string[]): StepEvent {
  const noise = ((step * 7_919) % 997) / 9_970;
  const loss =
    step === SPIKE.spikeAt ? SPIKE.height : step === SPIKE.nanAt ? Number.NaN : 2 + Math.sin(step / 70_000) / 4;
  const custom = Object.fromEntries(names.map((name, at) => [name, Math.sin(step / (10 + at)) + noise]));
  const fields = { loss: loss + noise, tevMean: 0.1 + noise, gradVar: 2 + noise, gradNorm: 1, lr: 3e-4 };
  return { step, time: step, ...fields, ...(names.length > 0 && { custom }) };
}

/** Of the steps that are stored at once: some 20 MB of memory, however many scalars a step has. */
const BATCH_VALUES = 256 * 1024;

/** Stores a finished run of so many steps and custom scalars in a new embedded database, rolled up; returns its id. */
export async function storeLongRun(dataDir: string, steps: number, scalars = 0): Promise<string> {
  const names = scalarNames(scalars);
  await using db = await openDatabase({ dataDir });
  const run = randomUUID();
  const now = new Date();
  await startRun(db, parse(runStart, { run, attempt: 1, project: 'long', name: 'long run', startedAt: 0 }), now);
  const batchSteps = Math.min(MAX_BATCH_STEPS, Math.ceil(BATCH_VALUES / (scalars + 1)));
  for (let first = 0; first < steps; first += batchSteps) {
    const batch = Array.from({ length: Math.min(batchSteps, steps - first) }, (_, at) => aStep(first + at, names));
    await insertSteps(db, [{ run, attempt: 1, steps: batch }], now);
  }
  await rollUp(db, run);
  await finishRun(db, { run, attempt: 1, status: 'finished', reason: null }, now);
  return run;
}
