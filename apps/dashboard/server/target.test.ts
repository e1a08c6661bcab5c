import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTarget } from './target.ts';

test.each([
  ['/', '/', ''],
  ['/?wall', '/', '?wall'],
  ['/runs/7', '/runs/7', ''],
  ['/runs/', '/runs/', ''],
  ['/compare?runs=1,2&q=a\\b//..', '/compare', '?runs=1,2&q=a\\b//..'],
  ['/api/trpc/run.list,alert.list?batch=1', '/api/trpc/run.list,alert.list', '?batch=1'],
  ['/.well-known/x', '/.well-known/x', ''],
  ['/a...b/...', '/a...b/...', ''],
])('%s is read as it is written', (raw, path, search) => {
  expect(parseTarget(raw)).toEqual({ path, search });
});

test.each([
  ['/%73ignin', '/signin'],
  ['/%5fnext/x%2dy', '/_next/x-y'],
  ['/projects/org%2fmodel/rules', '/projects/org%2Fmodel/rules'],
  ['/projects/s3%3a%2f%2fbucket/rules', '/projects/s3%3A%2F%2Fbucket/rules'],
  ['/projects/100%25%20done/rules', '/projects/100%25%20done/rules'],
  ['/projects/50%2525/rules', '/projects/50%2525/rules'],
  ['/projects/%c3%a9/rules', '/projects/%C3%A9/rules'],
  ['/a"<b>', '/a%22%3Cb%3E'],
])('%s has one spelling, %s', (raw, path) => {
  expect(parseTarget(raw)).toEqual({ path, search: '' });
});

const REFUSED: Record<string, string[]> = {
  'starts with one slash': ['', '*', 'signin', 'http://127.0.0.1/signin', '?x', '\\signin'],
  'printable ASCII': ['/sign in', '/sig\tnin', '/\u0000', '/é', '/signin#', '/signin#/../x', '/x?y#z', '/x?\u007f'],
  '"//"': ['//', '//signin', '/a//b', '/a//?x', '/\\x', '/a\\..\\b'],
  'control characters': ['/%00', '/signin%00.svg', '/%0d%0aX:y', '/%2500', '/%7f', '/.%09./x'],
  '"." or ".." segment': [
    ...['/.', '/..', '/./', '/../', '/a/.', '/a/..', '/a/./b', '/a/../b', '/..?x'],
    ...['/%2e', '/%2E%2e/', '/.%2e/x', '/%2e./x', '/a/%2E%2E/b', '/%252e%252e/', '/%25%32%65./', '/%25252e%252e/x'],
    ...['/..%2fx', '/a%2f..', '/a%2F..%2Fb', '/..%5cx', '/a%5c..%5Cb', '/..%255cx', '/a%252f..%252fb', '/%2e%2e%2f'],
  ],
  'percent-encoded UTF-8': ['/%', '/%2', '/%zz', '/a%', '/%c0%ae%c0%ae/', '/%ff', '/%ed%a0%80', '/%u002e'],
  'too many times': ['/%2525252525252e'],
};

test.each(Object.entries(REFUSED).flatMap(([reason, targets]) => targets.map((target) => [target, reason] as const)))(
  '%j is refused: %s',
  (target, reason) => {
    expect(parseTarget(target)).toEqual({ problem: expect.stringContaining(reason) });
  },
);

test('what is not refused means the same to every parser, whatever is written', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '%2e',
    '%2E',
    '%25',
    '2e',
    '%2f',
    '%5c',
    '\\',
    '?',
    '#',
    'a',
    '_next',
    '%',
    '"',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const target = parseTarget(`/${pieces.join('')}`);
      if ('problem' in target) return;
      const { path, search } = target;
      expect(parseTarget(path + search)).toEqual(target);
      expect(new URL(path + search, 'http://server')).toMatchObject({ host: 'server', pathname: path, search });
      expect(decodeURIComponent(path).split(/[\\/]/)).not.toContain('..');
    }),
    { numRuns: 2_000 },
  );
});
