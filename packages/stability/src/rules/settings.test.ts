import { expect, test } from 'vitest';
import { problemOfRules } from './settings.ts';

test('limits that grow go together, and so do limits that are equal', () => {
  expect(problemOfRules({})).toBeNull();
  expect(problemOfRules({ 'tev-growth': { warning: 0.8, critical: 0.8 } })).toBeNull();
});

test('a limit below a lesser one is told by its field, be the other one set or a default', () => {
  expect(problemOfRules({ 'tev-growth': { warning: 0.9 } })).toEqual({
    field: 'tev-growth.critical',
    problem: 'must not be below warning, which is 0.9',
  });
  expect(problemOfRules({ 'tev-growth': { calm: 0.45 } })?.field).toBe('tev-growth.surgeWarning');
  expect(problemOfRules({ 'grad-variance': { critical: 4 } })?.field).toBe('grad-variance.critical');
  expect(problemOfRules({ stalled: { criticalSeconds: 30 } })?.field).toBe('stalled.criticalSeconds');
});
