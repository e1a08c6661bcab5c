import { expect, it } from 'vitest';
import { toForm, toSettings } from './rule-form.ts';

const SETTINGS = { 'tev-growth': { criticalMargin: 0.9 }, stalled: { enabled: false, warningSeconds: 90 } };

it('gives back the settings that it was made of', () => {
  expect(toSettings(toForm(SETTINGS))).toEqual(SETTINGS);
  expect(toSettings(toForm({}))).toEqual({});
});

it('takes for no setting what is the default, or empty', () => {
  const form = toForm(SETTINGS);
  form['tev-growth'].values.criticalMargin = ' 0 ';
  form.stalled = { enabled: true, values: { ...form.stalled.values, warningSeconds: '' } };
  expect(toSettings(form)).toEqual({});
});

it('reads a decimal comma', () => {
  const form = toForm({});
  form['loss-spike'].values.sigmas = '6,5';
  expect(toSettings(form)).toEqual({ 'loss-spike': { sigmas: 6.5 } });
});

it.each([
  ['warningMargin', 'a lot'],
  ['criticalMargin', '101'],
  ['resolveSteps', '2.5'],
])('names the rule and the field of a wrong value: %s %s', (field, text) => {
  const form = toForm({});
  form['tev-growth'].values[field] = text;
  expect(() => toSettings(form)).toThrow(expect.objectContaining({ field: `tev-growth.${field}` }));
});

it('names the limit that lies below a lesser one', () => {
  const form = toForm({});
  form['tev-growth'].values.warningMargin = '0.95';
  expect(() => toSettings(form)).toThrow(expect.objectContaining({ field: 'tev-growth.criticalMargin' }));
});
