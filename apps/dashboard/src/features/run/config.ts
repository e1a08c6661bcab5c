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
  if (isPlain(value)) return [[name, String(value)]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[name, Array.isArray(value) ? '[]' : '{}']];
  if (Array.isArray(value) && value.every(isPlain)) return [[name, value.map(String).join(', ')]];
  return entries.flatMap(([key, inner]) => flatten(`${name}.${key}`, inner));
}

function isPlain(value: unknown): value is string | number | boolean | null | undefined {
  return typeof value !== 'object' || value === null;
}
