import { quoteNonFinite } from '@evenkeel/protocol';
import { nonFinite } from '../python-json.ts';
import { setValue } from '../set-value.ts';

/**
 * Parses JSON in which Python's NaN, Infinity and -Infinity stand bare; they become strings.
 * @throws SyntaxError
 */
export function parseLooseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(quoteNonFinite(text));
  }
}

/** Nesting that is read; a program's call stack is not endless. */
const MAX_DEPTH = 64;

/** The numbers in an object by their path, `a.b` for what is nested, and how many lists it has, or objects too deep in it. */
export function flatNumbers(object: object): { values: Record<string, number>; lists: number } {
  const values: Record<string, number> = {};
  let lists = 0;
  const visit = (part: object, path: string, depth: number): void => {
    for (const [key, value] of Object.entries(part)) {
      const number = typeof value === 'number' ? value : nonFinite(value);
      if (number !== null) setValue(values, path + key, number);
      else if (typeof value !== 'object' || value === null) continue;
      else if (Array.isArray(value) || depth === MAX_DEPTH) lists += 1;
      else visit(value, `${path}${key}.`, depth + 1);
    }
  };
  visit(object, '', 1);
  return { values, lists };
}
