/**
 * Whether JSON carries a value as it is. A codec that also knows dates, NaN and the like looks at every number of a
 * chart, which takes many times as long as to write it; of what passes here it need not look at any.
 */
export function isJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return value === null || (Array.isArray(value) ? value.every(isJson) : isJsonObject(value));
    default:
      return false;
  }
}

function isJsonObject(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return false;
  return Object.values(value).every(isJson);
}

/** A string (its end may be missing: else each quote in it is tried), or a word that JSON does not know: text within a string is none. */
const STRING_OR_WORD = /"[^"\\]*(?:\\.[^"\\]*)*"?|-?Infinity|NaN/g;

/**
 * Makes JSON of a text in which NaN and infinities are bare words, as Python writes them.
 * @param write what stands for such a word, as JSON.
 */
export function replaceNonFinite(text: string, write: (word: string) => string): string {
  if (!text.includes('NaN') && !text.includes('Infinity')) return text;
  return text.replaceAll(STRING_OR_WORD, (token) => (token.startsWith('"') ? token : write(token)));
}

/** The same, with the words as strings, which `wireNumber` reads. */
export function quoteNonFinite(text: string): string {
  return replaceNonFinite(text, (word) => `"${word}"`);
}
