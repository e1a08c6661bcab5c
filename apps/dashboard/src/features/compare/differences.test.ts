import { expect, test } from 'vitest';
import { differencesOf } from './differences.ts';

const differences = (...configs: object[]) => differencesOf(configs.map((config) => JSON.stringify(config)));

test('only what is not the same in all runs, by the whole way to it', () => {
  const base = { lr: 0.001, model: { dim: 64, layers: 4 }, betas: [0.9, 0.95] };
  expect(differences(base, { ...base, model: { dim: 128, layers: 4 }, betas: [0.9, 0.99] }, base)).toEqual([
    { name: 'betas', values: ['0.9, 0.95', '0.9, 0.99', '0.9, 0.95'] },
    { name: 'model.dim', values: ['64', '128', '64'] },
  ]);
});

test('what one run does not set is a difference, also from null', () => {
  expect(differences({ clip: null, seed: 1 }, { seed: 1 })).toEqual([{ name: 'clip', values: ['null', null] }]);
});

test('equal configurations, none at all, and one alone have no differences', () => {
  expect(differences({ a: 1, b: { c: [] } }, { b: { c: [] }, a: 1 })).toEqual([]);
  expect(differences({}, {})).toEqual([]);
  expect(differences({ a: 1 })).toEqual([]);
});

test('keys stand in the order that people count in', () => {
  expect(differences({ block2: 1, block10: 1 }, {}).map(({ name }) => name)).toEqual(['block2', 'block10']);
});

test('integers that only differ beyond 2^53 are different', () => {
  const seeds = ['9007199254740992', '9007199254740993'];
  const [even, odd] = seeds.map((text) => ({ seed: { $number: text } }));
  expect(differences({ ...even }, { ...odd })).toEqual([{ name: 'seed', values: seeds }]);
  expect(differences({ ...odd }, { ...odd })).toEqual([]);
});
