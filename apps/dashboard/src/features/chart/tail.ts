import { mergeStep, type StepEvent } from '@evenkeel/protocol';

/**
 * Adds steps that streamed in to those kept, ascending; a repeated step is
 * merged with. New steps nearly always come last,
 * so that is the quick way.
 */
export function mergeSteps(kept: readonly StepEvent[], incoming: readonly StepEvent[]): StepEvent[] {
  const last = kept.at(-1)?.step ?? Number.NEGATIVE_INFINITY;
  const inOrder = incoming.every(({ step }, at) => step > (incoming[at - 1]?.step ?? last));
  if (inOrder) return [...kept, ...incoming];
  const byStep = new Map(kept.map((event) => [event.step, event]));
  for (const event of incoming) {
    const known = byStep.get(event.step);
    byStep.set(event.step, known ? mergeStep(known, event) : event);
  }
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

/** Groups ascending steps into columns of `columnSteps`, each under its first step, none of them at or below `after`. */
export function columnsOf(
  steps: readonly StepEvent[],
  columnSteps: number,
  after: number,
): { start: number; steps: StepEvent[] }[] {
  const columns: { start: number; steps: StepEvent[] }[] = [];
  for (const event of steps) {
    if (event.step <= after) continue;
    const start = Math.max(after + 1, Math.floor(event.step / columnSteps) * columnSteps);
    const open = columns.at(-1);
    if (open?.start === start) open.steps.push(event);
    else columns.push({ start, steps: [event] });
  }
  return columns;
}
