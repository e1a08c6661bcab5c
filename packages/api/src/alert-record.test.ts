import type { AlertCount } from '@evenkeel/db';
import { expect, test } from 'vitest';
import { recordOf } from './alert-record.ts';

const counted = (alerts: number, over: Partial<AlertCount>): AlertCount => ({
  ...{ rule: 'tev-growth', severity: 'critical', feedback: null, outcome: 'diverged', late: false },
  ...over,
  alerts,
});
const NOTHING = { diverged: 0, markedTrue: 0, late: 0, healthy: 0, markedFalse: 0, running: 0, unknown: 0 };

test('an alert of a run that had diverged is late, and a mark of a person goes before what became of the run', () => {
  const record = recordOf([
    counted(1, { feedback: 'false alarm' }),
    counted(2, { feedback: 'true', outcome: 'healthy' }),
    counted(4, { feedback: 'true', outcome: 'running' }),
    counted(8, {}),
    counted(16, { outcome: 'healthy' }),
    counted(32, { outcome: 'running' }),
    counted(64, { outcome: 'unknown' }),
    counted(128, { late: true }),
    counted(256, { late: true, feedback: 'true' }),
  ]);
  const of = { diverged: 8, markedTrue: 262, late: 128, healthy: 16, markedFalse: 1, running: 32, unknown: 64 };
  expect(record).toEqual([{ rule: 'tev-growth', severity: 'critical', alerts: 511, ...of }]);
});

test('each rule and severity is summed up by itself, the worst first', () => {
  const record = recordOf([
    counted(1, { severity: 'warning' }),
    counted(1, {}),
    counted(1, { rule: 'loss-spike', severity: 'warning' }),
  ]);
  expect(record.map(({ rule, severity }) => `${rule} ${severity}`)).toEqual([
    'loss-spike warning',
    'tev-growth critical',
    'tev-growth warning',
  ]);
});

test('a run that diverged says nothing about a rule that goes by the clock, a person does', () => {
  const [stalled] = recordOf([
    counted(3, { rule: 'stalled' }),
    counted(2, { rule: 'stalled', late: true }),
    counted(1, { rule: 'stalled', feedback: 'true' }),
  ]);
  expect(stalled).toEqual({ rule: 'stalled', severity: 'critical', alerts: 6, ...NOTHING, unknown: 5, markedTrue: 1 });
});
