import { numberOf } from '@evenkeel/protocol';

/**
 * A configuration as lines of name and value, sorted by name: what is nested becomes `model.dim`, a list of plain values
 * stays one line.
 */
export function flattenConfig(config: Readonly<Record<string, unknown>>): [name: string, value: string][] {
  return Object.entries(config)
    .flatMap(([name, value]) => flatten(name, value))
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
}

function flatten(name: string, value: unknown): [string, string][] {
  if (!isNested(value)) return [[name, textOf(value)]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[name, Array.isArray(value) ? '[]' : '{}']];
  if (Array.isArray(value) && !value.some(isNested)) return [[name, value.map(textOf).join(', ')]];
  return entries.flatMap(([key, inner]) => flatten(`${name}.${key}`, inner));
}

function textOf(value: unknown): string {
  return numberOf(value) ?? String(value);
}

/** Numbers that JSON carries as objects are not. */
function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null && numberOf(value) === null;
}
