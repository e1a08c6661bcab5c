import { tagIntegers, tagNonFinite } from '@evenkeel/protocol';

/** A number as Python's `json` writes it, `NaN`, `Infinity` and `-Infinity` among them; null for other JSON. */
export function numberIn(json: string): number | null {
  return /^(-?\d|-?Infinity$|NaN$)/.test(json) ? Number(json) : null;
}

const NON_FINITE = new Set<unknown>(['NaN', 'Infinity', '-Infinity']);

/** The number that a text names where its writer had no other way to write it; null for every other value. */
export function nonFinite(value: unknown): number | null {
  return NON_FINITE.has(value) ? Number(value) : null;
}

/**
 * JSON as Python writes it, as a value of a configuration: its integers are exact, and so are NaN and infinities.
 * @throws SyntaxError
 */
export function parsePythonJson(json: string): unknown {
  return JSON.parse(tagIntegers(tagNonFinite(json)));
}
