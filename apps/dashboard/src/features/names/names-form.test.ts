import { expect, test } from 'vitest';
import { becameWords, choiceOf, choicesOf, choose, isSame, rowsOf } from './names-form.ts';

test('a choice for a name is a field, nothing, or none at all', () => {
  const set = choose(choose({}, 'x', 'loss'), 'y', 'nothing');
  expect(set).toEqual({ x: 'loss', y: null });
  expect(['x', 'y', 'z', 'toString'].map((name) => choiceOf(set, name))).toEqual([
    'loss',
    'nothing',
    'automatic',
    'automatic',
  ]);
  expect(choose(set, 'x', 'automatic')).toEqual({ y: null });
  expect(() => choose(set, 'x', 'luck')).toThrow();
});

test('the automatic choice says what it would be', () => {
  expect(choicesOf('train/loss')[0]).toEqual({ value: 'automatic', label: 'Automatic (Loss)' });
  expect(choicesOf('val_loss')[0]?.label).toBe('Automatic (Evaluation loss)');
  expect(choicesOf('accuracy')[0]?.label).toBe('Automatic (nothing)');
});

test('settings are the same in whatever order, and null is not the absence of a setting', () => {
  expect(isSame({ a: 'lr', b: null }, { b: null, a: 'lr' })).toBe(true);
  expect(isSame({ a: null }, { b: null })).toBe(false);
  expect(isSame({ a: null }, {})).toBe(false);
});

test('names that no run reported are listed where something is set for them, within the search', () => {
  const reported = [{ name: 'acc', fields: {}, custom: 1 }];
  const set = { zeta: 'lr', Alpha: null, acc: 'loss' } as const;
  expect(rowsOf(reported, set, null).map(({ name }) => name)).toEqual(['Alpha', 'zeta', 'acc']);
  expect(rowsOf([], set, 'ALP').map(({ name }) => name)).toEqual(['Alpha']);
});

test('what names became is said in words', () => {
  expect(becameWords({ name: 'x', fields: { loss: 2 }, custom: 1 })).toBe('Loss in 2 runs, custom scalar in 1 run');
  expect(becameWords({ name: 'x', fields: {}, custom: 3 })).toBe('Custom scalar in 3 runs');
  expect(becameWords({ name: 'x', fields: {}, custom: 0 })).toBe('Not reported');
});
