import { expect, test } from 'vitest';
import { asksForRules, isMentioned, isNamed } from './matching.ts';

test.each([
  ['', true],
  ['ru', true],
  ['MLRA rules', true],
  ['rules of ml', true],
  ['les', false],
  ['rules pythia', false],
])('“%s” names the rules of mlra-9: %s', (typed, named) => {
  expect(isNamed('Rules of mlra-9', typed)).toBe(named);
});

test('the rules of a project are asked for by that word, not by the name of the project alone', () => {
  expect(['', ' ', 'r', 'Rules of mlra'].map(asksForRules)).toEqual([true, true, true, true]);
  expect(['mlra', 'run 12', 'rulesets'].map(asksForRules)).toEqual([false, false, false]);
});

test('a run is mentioned by any part of its texts', () => {
  expect(isMentioned(['run 12', null], ' N 1')).toBe(true);
  expect(isMentioned(['run 12', null], 'null')).toBe(false);
  expect(isMentioned([], '')).toBe(false);
});
