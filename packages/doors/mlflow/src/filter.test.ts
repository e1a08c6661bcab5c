import { expect, test } from 'vitest';
import { type Facts, inOrder, meets, parseFilter, parseOrder } from './filter.ts';

const VALUES: Record<string, string | number> = {
  'metric loss': 0.5,
  'metric train/loss': Number.NaN,
  'metric a b': 2,
  'param lr': '0.1',
  'param model.layers': '4',
  'tag it\'s "so"': 'yes',
  'attribute status': 'FINISHED',
  'attribute run_name': 'Even keel 10%',
  'attribute start_time': 100,
};
const facts: Facts = ({ kind, name }) => VALUES[`${kind} ${name}`] ?? null;

test.each([
  ['', true],
  ['metrics.loss < 1', true],
  ['metrics.loss<.6 AND metric.loss >= 5e-1', true],
  ['metrics.loss > 1', false],
  ['metrics.loss != 0.5', false],
  ['metrics.`train/loss` < 1', false],
  ['metrics."a b" = 2', true],
  ['metrics.absent < 1', false],
  ['params.lr = \'0.1\' and params.model.layers = "4"', true],
  ["params.lr = '0.2'", false],
  ["params.absent != '0.2'", true],
  ['tags.`it\'s "so"` = "yes"', true],
  ["attributes.status = 'FINISHED' and status != 'FAILED'", true],
  ["run_name LIKE 'Even%'", true],
  ["run_name LIKE 'even%'", false],
  ["attribute.run_name ILIKE '%KEEL 10%'", true],
  ["run_name LIKE 'Even_keel 10%'", true],
  ["run_name LIKE '.*'", false],
  ["attributes.status IN ('FAILED', 'FINISHED')", true],
  ["attributes.status IN ('FAILED')", false],
  ['attributes.start_time > 99', true],
])('the filter %s is met: %s', (filter, isMet) => {
  expect(meets(parseFilter(filter), facts)).toBe(isMet);
});

test.each([
  ['metrics.loss', 'no operator'],
  ['metrics.loss ~ 1', 'no operator'],
  ['metrics.loss < one', 'no number'],
  ["metrics.loss < '1'", 'compared with a number'],
  ['metrics.loss <', 'a value is missing'],
  ['metrics.loss < 1 or metrics.loss > 2', 'expected "and"'],
  ["status IN 'FAILED'", 'in parentheses'],
  ["status IN ('FAILED'", 'does not end'],
  ["status = 'FAILED", 'nothing is known that begins as'],
])('the filter %s is refused: %s', (filter, problem) => {
  expect(() => parseFilter(filter)).toThrow(problem);
});

test('a pattern of many wildcards is matched at once', () => {
  const filter = parseFilter(`run_name LIKE '${'%a'.repeat(12)}%b'`);
  expect(meets(filter, () => 'a'.repeat(60))).toBe(false);
});

test('an order compares key by key; what is absent or NaN comes last, whichever way', () => {
  const keys = [parseOrder('metrics.`train/loss` DESC'), parseOrder('attributes.run_name')];
  expect(keys[0]).toEqual({ subject: { kind: 'metric', name: 'train/loss' }, isDescending: true });
  const rows = [
    [null, 'e'],
    [1, 'c'],
    [Number.NaN, 'd'],
    [2, 'b'],
    [2, 'a'],
  ];
  expect(rows.toSorted((a, b) => inOrder(keys, a, b)).map(([, name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('a key of an order with many spaces is read at once', () => {
  expect(parseOrder(`  a${' '.repeat(1_000_000)}b  desc `).isDescending).toBe(true);
});

test('a filter of very many conditions is read at once', () => {
  expect(parseFilter(Array(200_000).fill('a = 1').join(' and '))).toHaveLength(200_000);
});
