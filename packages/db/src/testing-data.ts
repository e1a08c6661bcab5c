import { randomUUID } from 'node:crypto';
import type { RunStart, StepEvent } from '@evenkeel/protocol';
import type { Database } from './database.ts';
import type { NewAlert } from './writes/alert.ts';
import { startRun } from './writes/run.ts';

export const NOW = new Date('2026-01-01T00:00:00Z');

export function aRun(over: Partial<RunStart> = {}): RunStart {
  return {
    run: randomUUID(),
    attempt: 1,
    project: 'keel',
    name: 'even',
    config: {},
    owner: null,
    tags: [],
    notes: '',
    layers: [],
    startedAt: NOW.getTime(),
    policy: { warning: { kind: 'observe' }, critical: { kind: 'observe' } },
    ...over,
  };
}

/** @returns the id of a run that has begun. */
export async function begin(db: Database, over: Partial<RunStart> = {}): Promise<string> {
  const start = aRun(over);
  await startRun(db, start, NOW);
  return start.run;
}

export function aFinding(over: Partial<NewAlert> = {}): NewAlert {
  return {
    ...{ rule: 'tev-growth', severity: 'warning', attempt: 1, step: 70, message: 'TEV grows', evidence: { k: 1.5 } },
    ...{ window: [40, 70], risk: 0.6, divergenceStep: 130 },
    ...over,
  };
}

export function aStep(step: number, over: Partial<StepEvent> = {}): StepEvent {
  return { step, time: NOW.getTime() + step, ...over };
}

/** Seconds after the tests' present. */
export function later(seconds: number): Date {
  return new Date(NOW.getTime() + seconds * 1000);
}
