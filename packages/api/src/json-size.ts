/** More than a number takes as JSON, or a date. */
const SCALAR_BYTES = 24;

/**
 * About how many bytes a value takes as JSON, rather too many than too few.
 * @param max where counting ends: what is larger is found to be larger without being walked through.
 */
export function jsonSize(value: unknown, max: number): number {
  if (typeof value === 'string') return 2 + 3 * value.length;
  if (typeof value !== 'object' || value === null || value instanceof Date) return SCALAR_BYTES;
  let size = 2;
  for (const [key, part] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    size += (typeof key === 'string' ? 4 + 3 * key.length : 1) + jsonSize(part, max - size);
    if (size > max) return size;
  }
  return size;
}
