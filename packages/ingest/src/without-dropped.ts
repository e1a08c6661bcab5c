import type { DroppedValue, StepBatch, StepEvent } from '@evenkeel/protocol';

const CUSTOM = 'custom.';

/**
 * A batch as viewers may draw it: without the fields of which something was not stored. A value of such a field that
 * was stored is seen when the chart is read again.
 */
export function withoutDropped(batch: StepBatch, dropped: readonly DroppedValue[]): StepBatch {
  if (dropped.length === 0) return batch;
  const fields = new Set(dropped.map(({ field }) => field));
  return { run: batch.run, attempt: batch.attempt, steps: batch.steps.map((step) => without(step, fields)) };
}

function without(step: StepEvent, fields: ReadonlySet<string>): StepEvent {
  const kept = Object.entries(step).filter(([name]) => !fields.has(name));
  const custom = step.custom && Object.entries(step.custom).filter(([name]) => !fields.has(CUSTOM + name));
  return {
    ...Object.fromEntries(kept),
    step: step.step,
    time: step.time,
    custom: custom?.length ? Object.fromEntries(custom) : null,
  };
}
