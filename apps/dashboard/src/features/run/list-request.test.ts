import { expect, it } from 'vitest';
import { boardAddress, boardQuery, boardRequest, loadBoard, nextSort } from './list-request.ts';

const read = (query: string) => boardRequest(loadBoard(query));

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
  const queries = [
    'status=exploded&risk=2&within=soon&from=2026-13-01&before=yesterday&config=x&sort=luck&group=a..b',
    'risk=0.5abc&within=24h&from=2026-02-30&before=2026-02-01T12:00&sort=-',
  ];
  expect(queries.map(read)).toEqual([{ filter: {} }, { filter: {} }]);
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
  const write = (query: string) => boardQuery(loadBoard(query));
  expect(write('sort=-risk&wall=&status=running&from=2026-01-02&utm=x')).toBe(
    write('from=2026-01-02&status=running&sort=-risk'),
  );
  expect(write('status=running,exploded,lost')).toBe('status=running,lost');
  const query = 'q=a%26b&status=running%2Clost&config=model.layers%3D4&archived=1&group=lr';
  expect(read(write(query))).toEqual(read(query));
  expect(write('wall')).toBe('');
});

it('leads from the board to its wall and back', () => {
  const params = loadBoard('status=running&sort=-risk');
  expect(boardAddress('/', { ...params, wall: true })).toBe('/?status=running&sort=-risk&wall=1');
  expect(['wall', 'wall=', 'wall=1', ''].map((query) => loadBoard(query).wall)).toEqual([true, true, true, null]);
  expect(boardAddress('/', { ...loadBoard('wall&q=a'), wall: null })).toBe('/?q=a');
  expect(boardAddress('/', loadBoard(''))).toBe('/');
});

it('sorts by a column, then the other way round, then no more', () => {
  const up = { by: 'risk', descending: false } as const;
  const down = { by: 'risk', descending: true } as const;
  expect([null, down, up].map((sort) => nextSort('risk', sort))).toEqual([down, up, null]);
  expect(nextSort('name', up)).toEqual({ by: 'name', descending: false });
});
