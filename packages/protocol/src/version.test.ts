import { expect, test } from 'vitest';
import { parse, RefusedError } from './refusal.ts';
import { checkProtocolVersion, ingestHandshake, PROTOCOL_VERSION } from './version.ts';

test('the same version is taken', () => {
  expect(() => checkProtocolVersion(PROTOCOL_VERSION)).not.toThrow();
});

test.each([
  [PROTOCOL_VERSION - 1, 'client'],
  [PROTOCOL_VERSION + 1, 'server'],
])('version %d is refused, with a message to upgrade the %s', (version, side) => {
  const expected = { field: 'protocol', retry: false, message: expect.stringMatching(`upgrade the ${side}$`) };
  expect(() => checkProtocolVersion(version)).toThrow(expect.objectContaining(expected));
});

test.each([
  ['protocol', { client: 'c' }],
  ['protocol', { protocol: '1', client: 'c' }],
  ['client', { protocol: 1 }],
  ['client', { protocol: 1, client: '' }],
  ['key', { protocol: 1, client: 'c', key: 7 }],
  ['key', { protocol: 1, client: 'c', key: 'x'.repeat(201) }],
])('a handshake with a wrong %s is refused by that field', (field, auth) => {
  expect(() => parse(ingestHandshake, auth)).toThrow(RefusedError);
  expect(() => parse(ingestHandshake, auth)).toThrow(expect.objectContaining({ field }));
});
