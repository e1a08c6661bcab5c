import type { TakenBatch } from '@evenkeel/db';
import { attemptNumber, DropCount, MAX_BATCH_STEPS, parse, runId, type StepEvent, takeStep } from '@evenkeel/protocol';
import { z } from 'zod';

const envelope = z.object({
  run: runId,
  attempt: attemptNumber,
  steps: z.array(z.unknown()).min(1).max(MAX_BATCH_STEPS),
});

/**
 * Reads a batch that came as JSON. A value that cannot be stored is left out and counted.
 * @param now the time of steps that have none, in milliseconds since 1970.
 * @throws RefusedError where it is no batch.
 */
export function readSteps(payload: unknown, now: number): TakenBatch {
  const { run, attempt, steps } = parse(envelope, payload);
  const dropped = new DropCount();
  const context = { layers: null, now: () => now };
  const taken = steps.map((step) => takeStep(step, context, (field, reason) => dropped.add(field, reason)));
  return { run, attempt, steps: taken.filter((step): step is StepEvent => step !== null), dropped: dropped.values() };
}
