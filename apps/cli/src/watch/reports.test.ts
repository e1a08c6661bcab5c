import { expect, test } from 'vitest';
import { addReport, isRewind, noReports } from './reports.ts';

const row = (step: number, time: number | null, ...names: string[]) => ({
  kind: 'row' as const,
  step,
  time,
  values: Object.fromEntries(names.map((name) => [name, 1])),
});

test('a later row of a name at a step that was reached before is a rewind', () => {
  const reports = noReports();
  addReport(reports, row(10, 1000, 'loss', 'lr'));
  addReport(reports, row(8, 1100, 'loss'));
  expect(isRewind(reports, row(10, 1200, 'loss'))).toBe(true);
  expect(isRewind(reports, row(11, 1200, 'loss'))).toBe(false);
});

test('names that objects have for themselves are names as any other', () => {
  const reports = noReports();
  addReport(reports, row(10, 1000, 'constructor', '__proto__'));
  expect(reports.steps).toEqual(Object.fromEntries([['constructor', 10]]));
  expect(isRewind(reports, row(5, 1100, 'constructor'))).toBe(true);
  expect(isRewind(reports, row(5, 1100, 'toString', '__proto__'))).toBe(false);
});

test('a row of another name, of the same time, without a time or of step 0 is none', () => {
  const reports = noReports();
  addReport(reports, row(10, 1000, 'loss'));
  const others = [row(5, 1200, 'eval'), row(5, 1000, 'loss'), row(5, null, 'loss'), row(0, 1200, 'loss')];
  expect(others.map((each) => isRewind(reports, each))).toEqual([false, false, false, false]);
});
