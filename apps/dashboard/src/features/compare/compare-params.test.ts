import { createLoader } from 'nuqs/server';
import { expect, test } from 'vitest';
import { askedRuns, compareHref, loadCompared, MAX_RUNS, PLACE_PARAMS, placeRange, toggled } from './compare-params.ts';

const idOf = (at: number) => `01890a5d-ac96-774b-bcce-${String(at).padStart(12, '0')}`;
const runsOf = (text: string) => askedRuns(loadCompared({ runs: text }).runs);
const loadPlaces = createLoader(PLACE_PARAMS);

test('runs come in the order of the address, each once, however they are written', () => {
  const asked = runsOf(`${idOf(2)}, ${idOf(1)},,${idOf(2).toUpperCase()},`);
  expect(asked).toEqual({ ids: [idOf(2), idOf(1)], malformed: [], beyond: 0 });
  expect(runsOf('')).toEqual({ ids: [], malformed: [], beyond: 0 });
  expect(askedRuns(loadCompared(new URL(compareHref([idOf(1), idOf(2)]), 'http://here')).runs).ids).toEqual([
    idOf(1),
    idOf(2),
  ]);
});

test('what is no id is reported, and more than twenty are counted', () => {
  const many = Array.from({ length: MAX_RUNS + 3 }, (_, at) => idOf(at));
  expect(runsOf(['<b>', ...many, 'x', 'x'].join())).toEqual({
    ids: many.slice(0, MAX_RUNS),
    malformed: ['<b>', 'x'],
    beyond: 3,
  });
});

test.each([
  ['from=10&to=20', { from: 10, to: 20 }],
  ['from=10', { from: 10 }],
  ['to=9000000000000', { to: 9_000_000_000_000 }],
  ['from=20&to=10', {}],
  ['from=-1&to=1e3', { from: -1 }],
  ['from=-5&to=-7', {}],
  ['from=&to=99999999999999999', {}],
])('the range of %s', (query, range) => {
  expect(placeRange(loadPlaces(query))).toEqual(range);
});

test('a run is hidden and shown again', () => {
  const { hide } = loadCompared({ hide: idOf(1) });
  expect(toggled(hide, idOf(2))).toEqual([idOf(1), idOf(2)]);
  expect(toggled([idOf(1), idOf(2)], idOf(1))).toEqual([idOf(2)]);
  expect(toggled(hide, idOf(1))).toEqual([]);
});
