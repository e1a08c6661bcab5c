import { expect, it } from 'vitest';
import { nextPath } from './next-path.ts';

const origin = 'http://127.0.0.1:4870';

it.each([
  ['/runs/1?from=2&to=3', '/runs/1?from=2&to=3'],
  ['/', '/'],
  [null, '/'],
  ['', '/'],
  ['runs', '/'],
  ['//evil.example/x', '/'],
  ['/.//evil.example', '/'],
  ['/%2e//evil.example', '/'],
  ['/x/..//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['https://evil.example', '/'],
  ['javascript:alert(1)', '/'],
])('%s leads to %s', (next, path) => {
  expect(nextPath(next, origin)).toBe(path);
});
