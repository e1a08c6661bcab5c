import { expect, it } from 'vitest';
import { readConfigFilters, readPath, writeConfigFilters, writePath } from './config-filter.ts';

it('reads what it has written of configurations, whatever stands in them', () => {
  const filters = [
    { path: ['model', 'layers'], value: '4' },
    { path: ['a.b', 'c=d', 'e,f', 'g\\'], value: 'x=1,y\\.' },
    { path: ['empty'], value: '' },
  ];
  expect(readConfigFilters(writeConfigFilters(filters))).toEqual(filters);
  expect(writeConfigFilters(filters.slice(0, 1))).toBe('model.layers=4');
  expect(readPath(writePath(['a.b', '\\', 'c']))).toEqual(['a.b', '\\', 'c']);
});

it('says which part is none', () => {
  expect(readConfigFilters('')).toEqual([]);
  expect(readConfigFilters('x,lr=0.1,a..b=1,=2')).toEqual([null, { path: ['lr'], value: '0.1' }, null, null]);
});
