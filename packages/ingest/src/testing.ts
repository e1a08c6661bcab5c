import type { StepEvent } from '@evenkeel/protocol';

/** When the runs of tests begin, in milliseconds since 1970. */
export const BEGAN = 1_700_000_000_000;

/** `run:start` as a trainer sends it. */
export function startOf(run: string, attempt = 1) {
  return { run, attempt, project: 'test', name: 'a run', startedAt: BEGAN, layers: ['embedding', 'head'] };
}

export function stepsFrom(first: number, count: number, loss: (step: number) => number = () => 2): StepEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const step = first + at;
    return { step, time: BEGAN + step, loss: loss(step), tevMean: 0.1, layerGradVar: [1, 2] };
  });
}
