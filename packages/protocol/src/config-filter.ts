import { MAX_NAME_LENGTH } from './limits.ts';

/** A value of the configuration, as text, and the keys that lead to it. */
export interface ConfigFilter {
  path: string[];
  value: string;
}

/** Filters that one list may have, and keys of one path. */
export const MAX_CONFIG_FILTERS = 16;

/**
 * Reads `model.layers=4,seed=1`, as addresses of the board and of the HTTP API have it; a backslash takes the meaning from
 * the dot, comma, sign or backslash after it.
 * @returns a filter for each part; null for one that is not of the form `key=value`.
 */
export function readConfigFilters(text: string): (ConfigFilter | null)[] {
  if (text === '') return [];
  return splitAt(text, ',').map((part) => {
    const [key = '', ...value] = splitAt(part, '=');
    const path = readPath(key);
    if (path.length === 0 || value.length === 0) return null;
    return { path, value: unescaped(value.join('=')).slice(0, MAX_NAME_LENGTH) };
  });
}

/** Writes filters as {@link readConfigFilters} reads them. */
export function writeConfigFilters(filters: readonly ConfigFilter[]): string {
  return filters.map(({ path, value }) => `${writePath(path)}=${value.replace(/[\\,]/g, '\\$&')}`).join(',');
}

/** The keys of `model.layers`, one after the other; none where one of them is empty. */
export function readPath(text: string): string[] {
  const keys = splitAt(text.trim(), '.').map((key) => unescaped(key).slice(0, MAX_NAME_LENGTH));
  return keys.every((key) => key.length > 0) ? keys.slice(0, MAX_CONFIG_FILTERS) : [];
}

/** Writes keys as {@link readPath} reads them. */
export function writePath(path: readonly string[]): string {
  return path.map((key) => key.replace(/[\\.,=]/g, '\\$&')).join('.');
}

/** Splits at every mark that no backslash stands before; backslashes stay. */
function splitAt(text: string, mark: string): string[] {
  const parts = [''];
  for (const [piece] of text.matchAll(/\\.|[^\\]|\\$/gsu)) {
    if (piece === mark) parts.push('');
    else parts[parts.length - 1] += piece;
  }
  return parts;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gsu, '$1');
}
