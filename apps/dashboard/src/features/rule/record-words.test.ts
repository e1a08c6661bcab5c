import { expect, it } from 'vitest';
import type { AlertRecord } from '../../trpc/client.tsx';
import { recordWords } from './record-words.ts';

const NONE = { diverged: 0, markedTrue: 0, late: 0, healthy: 0, markedFalse: 0, running: 0, unknown: 0 };
const aRecord = (over: Partial<AlertRecord>): AlertRecord => ({
  ...{ rule: 'tev-growth', severity: 'critical', alerts: 1 },
  ...NONE,
  ...over,
});

it.each<[Partial<AlertRecord>, string]>([
  [
    { alerts: 1_012, diverged: 1_008, markedTrue: 1, markedFalse: 2, running: 1 },
    'Of 1,012 critical alerts: 1,009 came true (1,008: the run diverged after them, 1: marked true); 2 false alarms (marked); 1 undecided (the run is not over).',
  ],
  [
    { alerts: 27, diverged: 17, late: 7, healthy: 3 },
    'Of 27 critical alerts: 17 came true (the run diverged after them); 7 came when the run had diverged; 3 false alarms (the run finished without diverging).',
  ],
  [{ severity: 'warning', healthy: 1 }, 'Of 1 warning alert: 1 false alarm (the run finished without diverging).'],
  [
    { alerts: 3, running: 1, unknown: 2 },
    'Of 3 critical alerts: 3 undecided (1: the run is not over, 2: the run did not finish, was rewound, or a command changed it).',
  ],
  [
    { rule: 'stalled', alerts: 2, markedTrue: 1, unknown: 1 },
    'Of 2 critical alerts: 1 came true (marked true); 1 undecided (nobody marked them).',
  ],
])('says how many alerts came true, and how that is known', (over, words) => {
  expect(recordWords(aRecord(over))).toBe(words);
});
