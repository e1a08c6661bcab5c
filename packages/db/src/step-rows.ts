import { ARRAY_FIELDS, SCALAR_FIELDS, type StepArray, type StepEvent } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import { arrayOf, FLOAT4, FLOAT8, INT4, INT8, TIMESTAMPTZ, UUID } from './array-wire.ts';
import type { ScalarRow } from './scalar-dictionary.ts';
import { scalarValues, step } from './schema.ts';

/** A step, and where it belongs. */
export interface StepRow {
  run: string;
  attempt: number;
  event: StepEvent;
}

/** Custom scalars of a step, and where they belong. */
export interface ScalarValues extends ScalarRow {
  run: string;
  attempt: number;
  step: number;
}

/** A column of rows as one parameter: an array in binary. */
type Column = readonly [name: string, type: string, values: Buffer];

const SCALARS = SCALAR_FIELDS.map(({ name }) => step[name].name);
const ARRAYS = ARRAY_FIELDS.map(({ name }) => step[name].name);
const FIELDS = [...SCALARS, ...ARRAYS];
const KEY = 'run, attempt, step';

/**
 * Inserts steps, or merges them with what is stored, with one statement that has a parameter for each column, which is
 * some ten times as fast as one for each value. Arrays of different lengths make no array of arrays, so their elements
 * follow each other in one parameter, and each row takes its slices.
 */
export function upsertSteps(rows: readonly StepRow[]): SQL {
  const floats: number[] = [];
  const columns: Column[] = [
    ...keyColumns(rows.map(({ run, attempt, event }) => ({ run, attempt, step: event.step }))),
    ['time', 'timestamptz', columnOf(TIMESTAMPTZ, rows, ({ event }) => event.time)],
    ...SCALAR_FIELDS.map(({ name, kind }): Column => {
      return kind === 'count'
        ? [step[name].name, 'int8', columnOf(INT8, rows, ({ event }) => event[name])]
        : [step[name].name, 'float8', columnOf(FLOAT8, rows, ({ event }) => event[name])];
    }),
    ...ARRAY_FIELDS.flatMap(({ name }) => sliceColumns(step[name].name, rows, arrayIn(name), floats)),
  ];
  const taken = ARRAYS.map((name) => `floats[${name}_from : ${name}_to]`);
  return sql`
    insert into ${step} (${sql.raw([KEY, 'time', ...FIELDS].join(', '))})
    select ${sql.raw([KEY, 'time', ...SCALARS, ...taken].join(', '))}
    from (select ${arrayOf(FLOAT4, floats)}::real[] as floats) as flat, ${unnest(columns)}
    on conflict (${sql.raw(KEY)}) do update set
      time = least(step.time, excluded.time),
      ${sql.raw(FIELDS.map((name) => `${name} = coalesce(excluded.${name}, step.${name})`).join(', '))}`;
}

/** Inserts custom scalars, or replaces those that were reported together before. */
export function upsertScalars(rows: readonly ScalarValues[]): SQL {
  const floats: number[] = [];
  const columns = [
    ...keyColumns(rows),
    ['set', 'int4', columnOf(INT4, rows, ({ set }) => set)] as const,
    ...sliceColumns('values', rows, ({ values }) => values, floats),
  ];
  return sql`
    insert into ${scalarValues} (${sql.raw(KEY)}, set, values)
    select ${sql.raw(KEY)}, set, floats[values_from : values_to]
    from (select ${arrayOf(FLOAT8, floats)}::float8[] as floats) as flat, ${unnest(columns)}
    on conflict (${sql.raw(KEY)}, set) do update set values = excluded.values, version = excluded.version`;
}

function keyColumns(rows: readonly { run: string; attempt: number; step: number }[]): Column[] {
  return [
    ['run', 'uuid', columnOf(UUID, rows, ({ run }) => run)],
    ['attempt', 'int4', columnOf(INT4, rows, ({ attempt }) => attempt)],
    ['step', 'int8', columnOf(INT8, rows, ({ step }) => step)],
  ];
}

function unnest(columns: readonly Column[]): SQL {
  const params = columns.map(([, type, values]) => sql`${values}::${sql.raw(type)}[]`);
  return sql`unnest(${sql.join(params, sql`, `)}) as rows (${sql.raw(columns.map(([name]) => name).join(', '))})`;
}

function columnOf<Row, Value>(
  type: Parameters<typeof arrayOf<Value>>[0],
  rows: readonly Row[],
  read: (row: Row) => Value | null | undefined,
): Buffer {
  return arrayOf(type, rows.map(read));
}

function arrayIn(name: StepArray): (row: StepRow) => readonly number[] | null | undefined {
  return ({ event }) => event[name];
}

/** Appends what the rows hold to `floats`, and says where: both bounds count from 1, null where a row holds nothing. */
function sliceColumns<Row>(
  name: string,
  rows: readonly Row[],
  read: (row: Row) => readonly number[] | null | undefined,
  floats: number[],
): Column[] {
  const from: (number | null)[] = [];
  const to: (number | null)[] = [];
  for (const row of rows) {
    const values = read(row);
    from.push(values ? floats.length + 1 : null);
    for (const value of values ?? []) floats.push(value);
    to.push(values ? floats.length : null);
  }
  return [
    [`${name}_from`, 'int4', arrayOf(INT4, from)],
    [`${name}_to`, 'int4', arrayOf(INT4, to)],
  ];
}
