import type { StepEvent } from '@evenkeel/protocol';

/** `run:start` as a trainer sends it. */
export function startOf(run: string, attempt = 1) {
  return { run, attempt, project: 'test', name: 'a run', startedAt: 1_000, layers: ['embedding', 'head'] };
}

export function stepsFrom(first: number, count: number, loss: (step: number) => number = () => 2): StepEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const step = first + at;
    return { step, time: 1_000 + step, loss: loss(step), tevMean: 0.1, layerGradVar: [1, 2] };
  });
}
