import { createParser } from 'nuqs/server';

// What a page shows is in its URL, read and written by nuqs. A value that makes no sense is absent. The parsers of nuqs
// are not strict enough for that where they are not used: its numbers and dates ignore what follows them (`12abc`).

/** Text; empty text is absent. */
export const parseAsText = createParser({ parse: (text) => text || null, serialize: String });

/** Whether the parameter is there, whatever its value. */
export const parseAsPresence = createParser({ parse: () => true, serialize: () => '1' });

/** Decimal numbers from min to max, both included. */
export function parseAsNumberWithin(min: number, max: number) {
  return createParser({
    parse: (text) => {
      const value = text.trim() === '' ? Number.NaN : Number(text);
      return value >= min && value <= max ? value : null;
    },
    serialize: String,
  });
}

/** Whole numbers from min to max, both included. */
export function parseAsIntegerWithin(min: number, max: number) {
  const { parse } = parseAsNumberWithin(min, max);
  return createParser({ parse: (text) => (/^-?\d+$/.test(text) ? parse(text) : null), serialize: String });
}

/** The column that a table is sorted by: `name`, or `-name` for descending order. */
export function parseAsOrder<Column extends string>(columns: readonly Column[]) {
  return createParser({
    parse: (text) => {
      const descending = text.startsWith('-');
      const by = columns.find((column) => column === text.slice(descending ? 1 : 0));
      return by === undefined ? null : { by, descending };
    },
    serialize: ({ by, descending }) => (descending ? `-${by}` : by),
  });
}
