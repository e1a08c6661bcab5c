import { expect, it } from 'vitest';
import {
  nextSort,
  readBoardRequest,
  readConfigFilters,
  readPath,
  writeBoardQuery,
  writeConfigFilters,
  writePath,
} from './list-request.ts';

const read = (query: string) => readBoardRequest(new URLSearchParams(query));

it('asks for everything where the address says nothing', () => {
  expect(read('')).toEqual({ filter: {} });
  expect(read('q=+&status=&project=&config=&risk=&within=&from=&sort=&group=')).toEqual({ filter: {} });
});

it('reads every filter', () => {
  const query =
    'q=%20gpt%20&status=running,lost&project=p&tag=t&config=lr=0.1&risk=0.5&within=24&from=2026-01-02&before=2026-02-01&archived=1';
  expect(read(query).filter).toEqual({
    ...{ search: 'gpt', status: ['running', 'lost'], project: 'p', tag: 't', risk: 0.5, startedWithin: 24 },
    ...{ config: [{ path: ['lr'], value: '0.1' }], archived: true },
    ...{ startedFrom: new Date('2026-01-02T00:00:00Z'), startedBefore: new Date('2026-02-01T00:00:00Z') },
  });
});

it('leaves out what makes no sense', () => {
  expect(
    read('status=exploded&risk=2&within=soon&from=2026-13-01&before=yesterday&config=x&sort=luck&group=a..b'),
  ).toEqual({ filter: {} });
});

it('keeps a search within what the server takes', () => {
  expect(read(`q=${'x'.repeat(500)}`).filter.search).toHaveLength(200);
});

it('reads sort and group', () => {
  expect(read('sort=-risk&group=model.layers')).toEqual({
    ...{ filter: {}, sort: { by: 'risk', descending: true }, group: ['model', 'layers'] },
  });
  expect(read('sort=loss').sort).toEqual({ by: 'loss', descending: false });
});

it('writes the query of a view in one way, and without what is none of it', () => {
  const write = (query: string) => writeBoardQuery(new URLSearchParams(query));
  expect(write('sort=-risk&wall=&status=running&from=2026-01-02&utm=x')).toBe(
    write('from=2026-01-02&status=running&sort=-risk'),
  );
  const query = 'q=a%26b&config=model.layers%3D4&archived=1&group=lr';
  expect(read(write(query))).toEqual(read(query));
  expect(write('wall')).toBe('');
});

it('sorts by a column, then the other way round, then no more', () => {
  expect(nextSort('risk', undefined)).toBe('-risk');
  expect(nextSort('risk', { by: 'risk', descending: true })).toBe('risk');
  expect(nextSort('risk', { by: 'risk', descending: false })).toBeNull();
  expect(nextSort('name', { by: 'risk', descending: false })).toBe('name');
});

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
