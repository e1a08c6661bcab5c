import type { TakenBatch } from '@evenkeel/db';
import {
  attemptNumber,
  DROP_REASONS,
  DropCount,
  decodeSteps,
  MAX_BATCH_STEPS,
  MIN_STEP_TIME,
  type OnDropped,
  parse,
  RefusedError,
  runId,
  type StepBatch,
  type StepEvent,
  takeStep,
} from '@evenkeel/protocol';
import { z } from 'zod';

const envelope = z.object({
  run: runId,
  attempt: attemptNumber,
  steps: z.array(z.unknown()).min(1).max(MAX_BATCH_STEPS),
});

/**
 * Reads a batch, be it a frame or JSON. In JSON a value that cannot be stored is left out and counted.
 * @param now the time of steps that have none, in milliseconds since 1970.
 * @throws RefusedError where it is no batch, or a time in it is in seconds.
 */
export function readSteps(payload: unknown, now: number): TakenBatch {
  return payload instanceof Uint8Array ? readFrame(payload) : readJson(payload, now);
}

function readFrame(frame: Uint8Array): StepBatch {
  const batch = decodeSteps(frame);
  const wrong = batch.steps.findIndex(({ time }) => time < MIN_STEP_TIME);
  if (wrong >= 0) throw notInMilliseconds(wrong);
  return batch;
}

function readJson(payload: unknown, now: number): TakenBatch {
  const { run, attempt, steps } = parse(envelope, payload);
  const dropped = new DropCount();
  const context = { layers: null, now: () => now };
  const taken = steps.map((step, at) => takeStep(step, context, refuseSeconds(at, dropped)));
  return { run, attempt, steps: taken.filter((step): step is StepEvent => step !== null), dropped: dropped.values() };
}

/** A time in seconds is wrong in every step of its trainer, and would put the run into 1970: nothing is taken. */
function refuseSeconds(at: number, dropped: DropCount): OnDropped {
  return (field, reason) => {
    if (reason === 'not in milliseconds') throw notInMilliseconds(at);
    dropped.add(field, reason);
  };
}

function notInMilliseconds(at: number): RefusedError {
  return new RefusedError(`steps[${at}].time`, DROP_REASONS['not in milliseconds']);
}
