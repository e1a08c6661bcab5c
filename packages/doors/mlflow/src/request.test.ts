import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Bodies, secretOf } from './request.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test.each([
  ['Bearer ek_1', 'ek_1'],
  ['bearer ek_1', 'ek_1'],
  [basic('ada:ek_1'), 'ek_1'],
  [basic('ada:ek:1'), 'ek:1'],
  [basic('ek_1:'), 'ek_1'],
  [basic('ek_1'), 'ek_1'],
  [basic(':'), undefined],
  ['Digest x', undefined],
  [undefined, undefined],
])('the header %s presents the key %s', (header, secret) => {
  expect(secretOf(header)).toBe(secret);
});

const read = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  new Bodies().use(new Request('http://door/', { method: 'POST', body, headers }), async (value) => value);

test('a body is JSON, also as Python writes it, and compressed', async () => {
  expect(await read('{"a":[1,"NaN"]}')).toEqual({ a: [1, 'NaN'] });
  expect(await read('{"a":NaN,"b":[-Infinity, Infinity],"NaN, -Infinity \\"NaN":"x NaN"}')).toEqual({
    a: 'NaN',
    b: ['-Infinity', 'Infinity'],
    'NaN, -Infinity "NaN': 'x NaN',
  });
  expect(await read('')).toEqual({});
  expect(await read(new Uint8Array(gzipSync('{"a":1}')), { 'content-encoding': 'gzip' })).toEqual({ a: 1 });
});

test('what is no JSON, too long or no gzip is refused', async () => {
  await expect(read('{"a":')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE', status: 400 });
  await expect(read('{}', { 'content-encoding': 'gzip' })).rejects.toThrow('no gzip');
  await expect(read(' '.repeat(16 * 1024 * 1024 + 1))).rejects.toThrow('longer than 16 MiB');
  const bomb = new Uint8Array(gzipSync(' '.repeat(16 * 1024 * 1024 + 1)));
  await expect(read(bomb, { 'content-encoding': 'gzip' })).rejects.toThrow('longer than 16 MiB');
});

test('a text without its end is refused at once, however many quotes are in it', async () => {
  await expect(read(`"${'\\"'.repeat(500_000)}`)).rejects.toThrow('no JSON');
});

test('what small compressed bodies hold counts towards the limit of all together', async () => {
  const bodies = new Bodies();
  const body = new Uint8Array(gzipSync(' '.repeat(16 * 1024 * 1024 - 1)));
  const init = { method: 'POST', body, headers: { 'content-encoding': 'gzip' } };
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held: Promise<void>[] = [];
  for (let at = 0; at < 7; at++)
    await new Promise<void>((isHeld) => {
      const use = () => {
        isHeld();
        return released;
      };
      held.push(bodies.use(new Request('http://door/', init), use));
    });
  await expect(bodies.use(new Request('http://door/', init), async () => {})).rejects.toMatchObject({ status: 429 });
  release();
  await Promise.all(held);
  await bodies.use(new Request('http://door/', init), async () => {});
});
