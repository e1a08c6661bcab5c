import { expect, it } from 'vitest';
import { inboxKey } from './inbox-keys.ts';

const press = (key: string, over = {}) =>
  inboxKey({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...over });

it('moves by letters and arrows, and selects on the way with shift', () => {
  expect(press('j')).toEqual({ kind: 'move', by: 1, selects: false });
  expect(press('ArrowUp')).toEqual({ kind: 'move', by: -1, selects: false });
  expect(press('J', { shiftKey: true })).toEqual({ kind: 'move', by: 1, selects: true });
});

it('selects, acknowledges, marks and notes', () => {
  expect(press('t')).toEqual({ kind: 'mark', feedback: 'true' });
  expect(press('f')).toEqual({ kind: 'mark', feedback: 'false alarm' });
  expect(press('x')).toEqual({ kind: 'select', isRange: false });
  expect(press('X', { shiftKey: true })).toEqual({ kind: 'select', isRange: true });
  expect(press('a')).toEqual({ kind: 'acknowledge' });
  expect(press('n')).toEqual({ kind: 'note' });
});

it('leaves the browser its keys', () => {
  expect(press('a', { ctrlKey: true })).toBeNull();
  expect(press('n', { metaKey: true })).toBeNull();
  expect(press('f', { ctrlKey: true })).toBeNull();
  expect(press('A', { shiftKey: true })).toBeNull();
  expect(press('Enter')).toBeNull();
});
