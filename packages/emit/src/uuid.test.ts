import { runId } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { uuidv7 } from './uuid.ts';

// RFC 9562, appendix A.6: 2022-02-22T19:22:22.000Z, rand_a = 0xCC3, rand_b = 0b01 and 0x8C4DC0C0C07398F.
test('the example of RFC 9562', () => {
  const random = Uint8Array.of(0xcc, 0x38, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f, 0b01);
  expect(uuidv7(0x017f22e279b0, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
});

test('ids are valid, distinct and sorted by time', () => {
  const ids = Array.from({ length: 100 }, (_, at) => uuidv7(1_700_000_000_000 + at));
  for (const id of ids) expect(runId.parse(id)).toBe(id);
  expect([...new Set(ids)].sort()).toEqual(ids);
});
