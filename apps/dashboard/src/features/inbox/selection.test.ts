import { expect, it } from 'vitest';
import { NOTHING_SELECTED, nextFocus, type Selection, toggle, within } from './selection.ts';

const ROWS = ['a', 'b', 'c', 'd', 'e'];
const chosen = ({ ids }: Selection) => ROWS.filter((id) => ids.has(id)).join('');
const press = (selection: Selection, id: string, isRange = false) => toggle(selection, ROWS, id, isRange);

it('selects and lets go of one row', () => {
  const one = press(NOTHING_SELECTED, 'b');
  expect(chosen(one)).toBe('b');
  expect(chosen(press(one, 'b'))).toBe('');
});

it('selects a range from the last row pressed, either way, and lets go of one', () => {
  const down = press(press(NOTHING_SELECTED, 'b'), 'd', true);
  expect(chosen(down)).toBe('bcd');
  expect(chosen(press(down, 'a', true))).toBe('abcd');
  expect(chosen(press(press(down, 'e'), 'c', true))).toBe('b');
  expect(chosen(press(NOTHING_SELECTED, 'c', true))).toBe('c');
});

it('begins a new range where the row it began at has left', () => {
  const rows = ['a', 'c', 'd'];
  expect([...toggle(press(NOTHING_SELECTED, 'b'), rows, 'd', true).ids]).toEqual(['b', 'd']);
});

it('forgets rows that have left', () => {
  expect([...within(press(press(NOTHING_SELECTED, 'b'), 'd', true), ['a', 'c']).ids]).toEqual(['c']);
});

it('hands the keyboard on to the next row that stays, else to the one before', () => {
  expect(nextFocus(ROWS, 'b', new Set(['b', 'c']))).toBe('d');
  expect(nextFocus(ROWS, 'd', new Set(['d', 'e']))).toBe('c');
  expect(nextFocus(ROWS, 'd', new Set(['a']))).toBe('d');
  expect(nextFocus(ROWS, 'd', new Set(ROWS))).toBeNull();
});
