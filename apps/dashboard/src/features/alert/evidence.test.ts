import type { Alert } from '@evenkeel/protocol';
import { expect, it } from 'vitest';
import { factsOf } from './evidence.ts';

const ALERT: Alert = {
  ...{
    id: 'a',
    run: 'r',
    rule: 'tev-growth',
    severity: 'critical',
    status: 'open',
    attempt: 1,
    step: 208,
    message: 'm',
  },
  ...{ evidence: {}, window: [152, 215], risk: 0.8123, divergenceStep: 1298 },
  ...{ openedAt: new Date(0), acknowledgedAt: null, resolvedAt: null, note: null, notedBy: null, notedAt: null },
  ...{ feedback: null, feedbackBy: null, feedbackAt: null },
};

it('lists risk, forecast and window first, rounded, with every digit at hand', () => {
  expect(factsOf(ALERT)).toEqual([
    { name: 'risk within 100 steps', value: '81 %', exact: '0.8123' },
    { name: 'divergence expected at step', value: '1,298', exact: '1298' },
    { name: 'saw steps', value: '152 – 215', exact: '152 to 215' },
  ]);
});

it('says what a number means, with its unit', () => {
  const evidence = { doublingSteps: 41.234, accelerates: 1, speed: Math.log(1.05), silentSeconds: 90 };
  const facts = factsOf({ ...ALERT, risk: null, window: [7, 7], evidence });
  expect(facts.map(({ name, value }) => `${name} ${value}`)).toEqual([
    'TEV doubles every 41.2 steps',
    'growth accelerates yes',
    'TEV over the last 8 steps 5.00 % a step',
    'silent for 1 min',
  ]);
});

it('passes on a number that it has no words for', () => {
  expect(factsOf({ ...ALERT, risk: null, window: [7, 7], evidence: { novelty: 2 } })).toEqual([
    { name: 'novelty', value: '2.00', exact: '2' },
  ]);
});
