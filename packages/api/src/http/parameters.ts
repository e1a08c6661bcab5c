import { MAX_CONFIG_FILTERS, parse, RefusedError, readConfigFilters, text } from '@evenkeel/protocol';
import { z } from 'zod';

// Every parameter arrives as text, so each schema reads one; what comes out of it is what the description shows.

/** All parameters of a route; an unknown one is refused, since a filter that is misspelled would find too much. */
export function parameters<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code, keys }) =>
      code === 'unrecognized_keys' ? `there is no parameter ${keys?.join(', ')}: there are ${known}` : undefined,
  });
}

export function integer(schema: z.ZodInt | z.ZodNumber) {
  return z
    .string()
    .regex(/^-?\d{1,16}$/, 'must be an integer')
    .transform(Number)
    .pipe(schema);
}

export function decimal(schema: z.ZodNumber) {
  return z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(schema);
}

/** Separated by commas. */
export function list<Item extends z.ZodType<unknown, string>>(item: Item) {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(item));
}

/** Characters of all filters by configuration: more than an address has room for. */
const MAX_FILTERS_LENGTH = 16_384;

/** A day such as `2026-01-31`, from its first moment in UTC, or an instant with its offset. */
export const instant = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], 'must be 2026-01-31 or 2026-01-31T12:00:00Z')
  .refine(hasFourDigitYear, 'must be in the years 0001 to 9999, in UTC')
  .describe('A day, from its first moment in UTC, or an instant.');

/** PostgreSQL writes others otherwise, and takes none from year 0. */
function hasFourDigitYear(instant: string): boolean {
  const year = new Date(instant).getUTCFullYear();
  return year >= 1 && year <= 9_999;
}

/** `model.layers=4,lr=0.1`, as the board's address has it. */
export const configFilters = text(MAX_FILTERS_LENGTH).refine((filtered) => {
  const filters = readConfigFilters(filtered);
  return filters.length <= MAX_CONFIG_FILTERS && !filters.includes(null);
}, `must be ${MAX_CONFIG_FILTERS} values at most, such as model.layers=4,lr=0.1`);

/**
 * Parses what came with a request.
 * @param path what the path names.
 * @throws RefusedError naming the parameter that is wrong.
 */
export function readParameters<Schema extends z.ZodObject>(
  schema: Schema,
  path: Readonly<Record<string, string>>,
  search: URLSearchParams,
): z.output<Schema> {
  const given = new Map<string, string | string[]>(Object.entries(path));
  for (const name of new Set(search.keys())) {
    if (given.has(name)) throw new RefusedError(name, 'is part of the path');
    const [value = '', ...more] = search.getAll(name);
    if (more.length > 0 && !isRepeatable(schema, name)) throw new RefusedError(name, 'was given more than once');
    given.set(name, isRepeatable(schema, name) ? [value, ...more] : value);
  }
  return parse(schema, Object.fromEntries(given));
}

/** Whether a parameter may be given more than once: its schema takes a list, not a text. */
export function isRepeatable(schema: z.ZodObject, name: string): boolean {
  const own: unknown = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
  return (own instanceof z.ZodOptional ? own.unwrap() : own) instanceof z.ZodArray;
}
