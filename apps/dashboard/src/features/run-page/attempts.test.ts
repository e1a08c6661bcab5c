import { expect, it } from 'vitest';
import type { RunDetail } from '../../trpc/client.tsx';
import { attemptRows } from './attempts.ts';

type Attempt = RunDetail['attempts'][number];

const observe = { kind: 'observe' } as const;

function attempt(
  number: number,
  firstStep: number | null,
  lastStep: number | null,
  status: Attempt['status'] = null,
): Attempt {
  const policy = { warning: observe, critical: observe };
  const began = { number, startedAt: new Date(number), startedAs: null, policy, keys: [] };
  return { ...began, status, endedAt: null, firstStep, lastStep, outliers: [], removed: [], conflicts: 0 };
}

it('gives the status and last step of the run to its newest attempt alone', () => {
  const attempts = [attempt(1, 0, 120, 'failed'), attempt(2, 100, 180), attempt(3, 150, 151)];
  expect(attemptRows({ attempts, status: 'running', lastStep: 160 })).toMatchObject([
    { number: 1, status: 'failed', firstStep: 0, lastStep: 120 },
    { number: 2, status: 'lost contact', firstStep: 100, lastStep: 180 },
    { number: 3, status: 'running', firstStep: 150, lastStep: 160 },
  ]);
});

it('does not lend the steps of an older attempt to one that has none yet', () => {
  const attempts = [attempt(1, 0, 120), attempt(2, null, null)];
  const [, newest] = attemptRows({ attempts, status: 'running', lastStep: 120 });
  expect(newest).toMatchObject({ status: 'running', lastStep: null });
});

it('follows the only attempt from its first step', () => {
  const rows = attemptRows({ attempts: [attempt(1, null, null)], status: 'lost', lastStep: 3 });
  expect(rows).toMatchObject([{ status: 'lost', lastStep: 3 }]);
});

it('names the keys of each attempt in the order in which they sent it', () => {
  const keys = ['cluster', 'laptop'].map((name) => ({ id: name, name }));
  const attempts = [{ ...attempt(1, 0, 120), keys }, attempt(2, null, null)];
  expect(attemptRows({ attempts, status: 'running', lastStep: 120 })).toMatchObject([
    { keys: ['cluster', 'laptop'] },
    { keys: [] },
  ]);
});
