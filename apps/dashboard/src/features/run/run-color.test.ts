import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lookOf, looksOf, RUN_LOOKS } from './run-color.ts';

const CSS = readFileSync(new URL('../../app/globals.css', import.meta.url), 'utf8');
const ids = Array.from({ length: 200 }, (_, at) => `01890a5d-ac96-774b-bcce-${String(at).padStart(12, '0')}`);

test('a run by itself has its own look, and keeps it beside runs that have others', () => {
  const [one = '', two = ''] = ids.filter((id) => lookOf(id) !== lookOf(ids[0] ?? '') || id === ids[0]);
  expect(looksOf([one, two])).toEqual([lookOf(one), lookOf(two)]);
  expect(looksOf([two, one])).toEqual([lookOf(two), lookOf(one)]);
});

test('of two runs with one look the later one takes the next, whatever the others are', () => {
  const [first = ''] = ids;
  const twin = ids.find((id) => id !== first && lookOf(id) === lookOf(first)) ?? '';
  const [, moved] = looksOf([first, twin]);
  expect(moved).toBe(RUN_LOOKS[(RUN_LOOKS.indexOf(lookOf(first)) + 1) % RUN_LOOKS.length]);
  expect(looksOf([twin, first])).toEqual([lookOf(twin), moved]);
});

test('twenty runs have twenty looks, and a list has the same ones each time', () => {
  for (let from = 0; from + 20 <= ids.length; from += 20) {
    const some = ids.slice(from, from + 20);
    expect(new Set(looksOf(some)).size).toBe(20);
    expect(looksOf(some)).toEqual(looksOf([...some]));
  }
});

test('looks are spread over runs', () => {
  expect(new Set(ids.map((id) => lookOf(id))).size).toBe(RUN_LOOKS.length);
});

test.each(['light', 'dark'])('in %s every color stands out from the surface, and in gray from the others', (scheme) => {
  const surface = luminance(variable(scheme, '--ek-surface'));
  const colors = [...new Set(RUN_LOOKS.map(({ color }) => color))];
  const luminances = colors.map((color) => luminance(variable(scheme, color)));
  for (const each of luminances) expect(contrast(each, surface)).toBeGreaterThanOrEqual(3);
  const grays = luminances.map(lightness).sort((a, b) => a - b);
  for (const [at, gray] of grays.entries()) if (at > 0) expect(gray - (grays[at - 1] ?? 0)).toBeGreaterThanOrEqual(3);
});

function variable(scheme: string, name: string): string {
  const rules = CSS.slice(CSS.indexOf(`color-scheme="${scheme}"`));
  return new RegExp(`${name}: #([0-9a-f]{6});`).exec(rules)?.[1] ?? `no ${name}`;
}

/** As WCAG 2 has it. */
function luminance(hex: string): number {
  const parts = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  const [red = 0, green = 0, blue = 0] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: number, b: number): number {
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** L* of CIELAB, in which equal distances look equal. */
function lightness(luminance: number): number {
  return 116 * Math.cbrt(luminance) - 16;
}
