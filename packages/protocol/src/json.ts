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
