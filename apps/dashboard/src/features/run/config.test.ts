import { expect, it } from 'vitest';
import { flattenConfig } from './config.ts';

it('gives every nested value a line of its own, sorted', () => {
  const config = {
    seed: 1337,
    model: { layers: 6, dim: 128, attention: { kind: 'mlra', rank: null } },
    betas: [0.9, 0.95],
    blocks: [{ dim: 2 }, { dim: 4 }],
    resume: false,
    extra: {},
    none: [],
  };
  expect(flattenConfig(config)).toEqual([
    ['betas', '0.9, 0.95'],
    ['blocks.0.dim', '2'],
    ['blocks.1.dim', '4'],
    ['extra', '{}'],
    ['model.attention.kind', 'mlra'],
    ['model.attention.rank', 'null'],
    ['model.dim', '128'],
    ['model.layers', '6'],
    ['none', '[]'],
    ['resume', 'false'],
    ['seed', '1337'],
  ]);
});

it('shows numbers that JSON cannot carry as numbers, and a list of them in one line', () => {
  const number = (text: string) => ({ $number: text });
  expect(
    flattenConfig({
      seed: number('9007199254740993'),
      clip: number('Infinity'),
      range: [number('-Infinity'), 0, number('NaN')],
      own: { $number: 'many' },
    }),
  ).toEqual([
    ['clip', 'Infinity'],
    ['own.$number', 'many'],
    ['range', '-Infinity, 0, NaN'],
    ['seed', '9007199254740993'],
  ]);
});
