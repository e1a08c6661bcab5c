import { expect, test } from 'vitest';
import { parse } from './refusal.ts';
import { ruleSettings } from './rule-settings.ts';

test('settings of some rules are taken as they are', () => {
  const settings = { 'tev-growth': { critical: 0.9 }, stalled: { enabled: false }, 'loss-spike': {} };
  expect(parse(ruleSettings, settings)).toEqual(settings);
  expect(parse(ruleSettings, {})).toEqual({});
});

test.each([
  [{ 'tev-growth': { critical: 2 } }, 'tev-growth.critical'],
  [{ 'loss-spike': { sigmas: 0 } }, 'loss-spike.sigmas'],
  [{ 'tev-growth': { critcal: 0.9 } }, 'tev-growth'],
  [{ 'tev-grwth': {} }, ''],
  [{ 'non-finite': { resolveSteps: 1.5 } }, 'non-finite.resolveSteps'],
  [{ stalled: { resolveSteps: 1 } }, 'stalled'],
])('%j is refused', (settings, field) => {
  expect(() => parse(ruleSettings, settings)).toThrow(expect.objectContaining({ name: 'RefusedError', field }));
});
