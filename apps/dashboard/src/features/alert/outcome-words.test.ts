import { expect, it } from 'vitest';
import { outcomeWords } from './outcome-words.ts';

const DIVERGED = { rule: 'tev-growth', step: 300, outcome: 'diverged', onset: 1_312, late: false } as const;

it.each<[Partial<Parameters<typeof outcomeWords>[0]>, string | null]>([
  [{}, 'The run diverged at step 1,312.'],
  [{ step: 1_350, late: true }, 'The run had diverged at step 1,312, before this alert.'],
  [{ step: 1_312, late: true }, 'The run had diverged at step 1,312, the step of this alert.'],
  [{ step: 1_350 }, 'The run diverged at step 1,312.'], // in a later attempt, which had rewound
  [{ outcome: 'healthy', onset: null }, 'The run finished without diverging.'],
  [{ rule: 'stalled' }, null],
])('says whether a run diverged after an alert or had before it', (over, words) => {
  expect(outcomeWords({ ...DIVERGED, ...over })).toBe(words);
});
