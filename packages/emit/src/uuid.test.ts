import { runId } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { uuidv7 } from './uuid.ts';

// RFC 9562, appendix A.6: 2022-02-22T19:22:22.000Z
test('an id begins with its time, as in the example of RFC 9562', () => {
  expect(uuidv7(0x017f22e279b0)).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('ids of one millisecond are distinct', () => {
  expect(new Set(Array.from({ length: 100 }, () => uuidv7(0))).size).toBe(100);
});

test('ids are valid, distinct and sorted by time', () => {
  const ids = Array.from({ length: 100 }, (_, at) => uuidv7(1_700_000_000_000 + at));
  for (const id of ids) expect(runId.parse(id)).toBe(id);
  expect([...new Set(ids)].sort()).toEqual(ids);
});
