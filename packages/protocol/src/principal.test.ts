import { expect, test } from 'vitest';
import { ANONYMOUS, authorOf } from './principal.ts';

test('a name that was typed counts only where nobody else can say who it is', () => {
  const key = { kind: 'key', id: '01890a5d-ac96-774b-bcce-b302099a8057', name: 'cluster' } as const;
  expect(authorOf(ANONYMOUS, 'ada')).toBe('ada');
  expect(authorOf(ANONYMOUS, null)).toBeNull();
  expect(authorOf(key, 'ada')).toBe('cluster');
  expect(authorOf(key, null)).toBe('cluster');
});
