import { expect, test } from 'vitest';
import { CUSTOM_BIT, FIRST_CUSTOM_METRIC, STEP_FIELDS, TIME_METRIC, TOKENS_METRIC } from './step-fields.ts';

// Written out, because frames and rollups that exist already hold these numbers. No row is ever changed or removed, also
// where its field goes; a new field gets one once it is released.
const GIVEN: Record<string, { bit: number; metric: number }> = {
  loss: { bit: 0, metric: 1 },
  tevMean: { bit: 1, metric: 2 },
  tevStd: { bit: 2, metric: 3 },
  gradVar: { bit: 3, metric: 4 },
  gradNorm: { bit: 4, metric: 5 },
  lr: { bit: 5, metric: 6 },
  tokens: { bit: 6, metric: 7 },
  tevQuantiles: { bit: 7, metric: 8 },
  layerGradVar: { bit: 8, metric: 9 },
  layerOutVar: { bit: 9, metric: 10 },
  lrAhead: { bit: 11, metric: 11 },
  updateShare: { bit: 12, metric: 12 },
  updateRms: { bit: 13, metric: 13 },
  attentionLogitMax: { bit: 14, metric: 14 },
};

test('no field, and nothing beside the fields, changes the numbers that it was given', () => {
  for (const { name, bit, metric } of STEP_FIELDS) {
    if (name in GIVEN) expect({ bit, metric }, name).toEqual(GIVEN[name]);
  }
  expect({ CUSTOM_BIT, TIME_METRIC, TOKENS_METRIC, FIRST_CUSTOM_METRIC }).toEqual({
    CUSTOM_BIT: 10,
    TIME_METRIC: 0,
    TOKENS_METRIC: 7,
    FIRST_CUSTOM_METRIC: 1000,
  });
});

test('a new field takes numbers that no other has or had', () => {
  const added = STEP_FIELDS.filter(({ name }) => !(name in GIVEN));
  const given = Object.values(GIVEN);
  const bits = [CUSTOM_BIT, ...[...given, ...added].map(({ bit }) => bit)];
  const metrics = [TIME_METRIC, ...[...given, ...added].map(({ metric }) => metric)];
  for (const numbers of [bits, metrics]) expect(new Set(numbers).size).toBe(numbers.length);
  expect(Math.max(...bits)).toBeLessThan(32);
  expect(Math.max(...metrics)).toBeLessThan(FIRST_CUSTOM_METRIC);
});
