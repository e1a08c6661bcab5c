import { expect, test } from 'vitest';
import { BodyReader, MAX_BODY_BYTES, TooManyBodiesError } from './body-reader.ts';

const MIB = 1024 * 1024;
async function* body(bytes: number) {
  for (let sent = 0; sent < bytes; sent += MIB) yield new Uint8Array(Math.min(MIB, bytes - sent)).fill(97);
}
const length = async (text: string | null) => text?.length ?? null;

test('a body of the largest size is read, and a larger one is not held', async () => {
  const reader = new BodyReader();
  expect(await reader.read(body(MAX_BODY_BYTES), length)).toBe(MAX_BODY_BYTES);
  expect(await reader.read(body(MAX_BODY_BYTES + 1), length)).toBeNull();
  expect(await reader.read(null, length)).toBe(0);
});

test('what others hold leaves no place, until they are done', async () => {
  const reader = new BodyReader();
  let release = (_: number) => {};
  const done = new Promise<number>((resolve) => {
    release = resolve;
  });
  const held = Array.from({ length: 4 }, () => reader.read(body(MAX_BODY_BYTES), () => done));
  await expect.poll(() => reader.read(body(1), length).catch((error) => error)).toBeInstanceOf(TooManyBodiesError);
  release(1);
  await Promise.all(held);
  expect(await reader.read(body(1), length)).toBe(1);
});
