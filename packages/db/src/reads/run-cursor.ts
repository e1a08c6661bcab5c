import { RefusedError } from '@evenkeel/protocol';
import { desc, type SQL, sql } from 'drizzle-orm';
import { run } from '../tables/schema.ts';

type KeyType = 'timestamptz' | 'text' | 'int8' | 'float8' | 'jsonb';

/** What a list is ordered by before the start and the id of its runs; a null comes last. */
export interface OrderKey {
  value: SQL;
  type: KeyType;
  descending: boolean;
}

/** A value of each key, as JSON has it. */
type Keys = (string | number | null)[];

export const UUID_TEXT = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const NOT_FINITE = ['NaN', 'Infinity', '-Infinity'];

/** The order of a list; of runs that are equal the newest comes first, so that no two have the same place. */
export function orderBy(order: readonly OrderKey[]): SQL[] {
  const keys = order.map(({ value, descending }) =>
    descending ? sql`${value} desc nulls last` : sql`${value} asc nulls last`,
  );
  return [...keys, desc(run.startedAt), desc(run.id)];
}

/** A run's place in the order: what {@link encodeCursor} takes. */
export function placeIn(order: readonly OrderKey[]): SQL<Keys> {
  const keys = order.map(({ value, type }) => (type === 'jsonb' ? sql`${value}::text` : value));
  return sql<Keys>`json_build_array(${sql.join([...keys, sql`${run.startedAt}`, sql`${run.id}`], sql`, `)})`;
}

/** The place as text that a caller hands back to read on behind it. */
export function encodeCursor(place: Keys): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/**
 * Which runs stand behind a place in the order.
 * @throws RefusedError where the text is not a cursor of such a list.
 */
export function isBehind(cursor: string, order: readonly OrderKey[]): SQL {
  const keys = decodeCursor(cursor);
  const types: KeyType[] = [...order.map(({ type }) => type), 'timestamptz', 'text'];
  const fits = keys.length === types.length && types.every((type, at) => isKey(keys[at], type));
  const [started, id] = keys.slice(order.length).map(String);
  if (!fits || started === 'null' || !UUID_TEXT.test(id ?? '')) throw notACursor();
  // As a row: the index on the start can answer that.
  const isOlder = sql`(${run.startedAt}, ${run.id}) < (${started}::timestamptz, ${id}::uuid)`;
  return order.reduceRight((rest, key, at) => isBehindKey(key, keys[at] ?? null, rest), isOlder);
}

function isBehindKey({ value, type, descending }: OrderKey, key: Keys[number], rest: SQL): SQL {
  if (key === null) return sql`(${value} is null and ${rest})`;
  const own = sql`${String(key)}::${sql.raw(type)}`;
  const isFurther = descending ? sql`${value} < ${own}` : sql`${value} > ${own}`;
  return sql`(${isFurther} or ${value} is null or (${value} = ${own} and ${rest}))`;
}

/** @throws RefusedError where the text is not a cursor at all. */
export function decodeCursor(cursor: string): Keys {
  try {
    const keys: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isKeys = (value: unknown): value is Keys => Array.isArray(value);
    if (isKeys(keys)) return keys;
  } catch {} // said below
  throw notACursor();
}

/** Whether PostgreSQL takes it for a value of the type: what it does not would be an error of the server's. */
function isKey(key: unknown, type: KeyType): boolean {
  if (key === null) return true;
  if (type === 'int8') return Number.isSafeInteger(key);
  if (type === 'float8') return Number.isFinite(key) || NOT_FINITE.includes(String(key));
  if (typeof key !== 'string' || /\0|\\u0000/.test(key)) return false;
  if (type === 'timestamptz')
    return /^\d{4}-\d\d-\d\dT[\d:.]+[+-](0\d|1[0-5]):\d\d$/.test(key) && isStorableTime(new Date(key));
  return type === 'text' || isJson(key);
}

/** Whether it is in the years 0001 to 9999, in UTC: PostgreSQL has no year 0, and writes later ones otherwise. */
export function isStorableTime(time: Date): boolean {
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9_999;
}

function isJson(text: string): boolean {
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

export function notACursor(): RefusedError {
  return new RefusedError('cursor', 'is not one of this list: begin at its start');
}
