import { expect, test } from 'vitest';
import { DEFAULT_RULE_SETTINGS, disabledRules, knownSettings, ruleSettings } from './settings.ts';

/** The first thing that is wrong with settings, and where; null where nothing is. */
function problemOf(settings: unknown): { field: string; problem: string } | null {
  const issue = ruleSettings.safeParse(settings).error?.issues[0];
  return issue ? { field: issue.path.join('.'), problem: issue.message } : null;
}

test('settings of some rules are taken as they are', () => {
  const settings = { 'tev-growth': { criticalMargin: 0.9 }, stalled: { enabled: false }, 'loss-spike': {} };
  expect(ruleSettings.parse(settings)).toEqual(settings);
  expect(ruleSettings.parse({})).toEqual({});
  expect(disabledRules(settings)).toEqual(['stalled']);
});

test('the defaults of every rule may be set', () => {
  expect(ruleSettings.parse(DEFAULT_RULE_SETTINGS)).toEqual(DEFAULT_RULE_SETTINGS);
});

test.each([
  [{ 'tev-growth': { criticalMargin: 101 } }, 'tev-growth.criticalMargin'],
  [{ 'loss-spike': { sigmas: 0 } }, 'loss-spike.sigmas'],
  [{ 'tev-growth': { critcal: 0.9 } }, 'tev-growth'],
  [{ 'tev-grwth': {} }, ''],
  [{ 'non-finite': { resolveSteps: 1.5 } }, 'non-finite.resolveSteps'],
  [{ stalled: { resolveSteps: 1 } }, 'stalled'],
])('%j is refused', (settings, field) => {
  expect(problemOf(settings)?.field).toBe(field);
});

test('limits that grow go together, and so do limits that are equal', () => {
  expect(problemOf({})).toBeNull();
  expect(problemOf({ 'tev-growth': { warningMargin: 0.8, criticalMargin: 0.8 } })).toBeNull();
});

test('a limit below a lesser one is reported by its field and the words for the other, be the other one set or a default', () => {
  expect(problemOf({ 'loss-lost': { warning: 0.9 } })).toEqual({
    field: 'loss-lost.critical',
    problem: 'must not be below “Warning above”, which is 0.9',
  });
  expect(problemOf({ 'tev-growth': { warningMargin: 0.9 } })?.field).toBe('tev-growth.criticalMargin');
  expect(problemOf({ 'tev-growth': { calmMargin: -0.4 } })?.field).toBe('tev-growth.warningMargin');
  expect(problemOf({ 'grad-variance': { critical: 4 } })?.field).toBe('grad-variance.critical');
  expect(problemOf({ stalled: { criticalSeconds: 30 } })?.field).toBe('stalled.criticalSeconds');
});

test('of stored settings those of an earlier version are left out, and the rest holds', () => {
  const stored = {
    'tev-growth': { critical: 0.9, surgeWarning: 0.3, enabled: false, resolveSteps: 10 },
    'loss-spike': { sigmas: 7 },
    'grad-variance': { gone: 1 },
    'rule-that-was': { enabled: false },
  };
  const known = { 'tev-growth': { enabled: false, resolveSteps: 10 }, 'loss-spike': { sigmas: 7 } };
  expect(knownSettings(stored)).toEqual(known);
  expect(ruleSettings.parse(knownSettings(stored))).toEqual(known);
  expect(knownSettings({})).toEqual({});
});
