import { ARRAY_FIELDS, SCALAR_FIELDS, type StepArray, type StepEvent, type StepScalar } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import type { CopyIn } from '../database.ts';
import { arrayFrom, arrayOf, FLOAT4, FLOAT8, INT4, INT8, TIMESTAMPTZ, UUID } from '../drivers/array-wire.ts';
import { arrayColumn, copyRows, valueColumn } from '../drivers/copy-wire.ts';
import { scalarValues, step } from '../tables/schema.ts';
import type { ScalarRow } from './scalar-dictionary.ts';

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

const KEY = 'run, attempt, step';

/** Inserts steps none of which is stored, at half the price of {@link upsertSteps}. */
export async function copySteps(copyIn: CopyIn, rows: readonly StepRow[]): Promise<void> {
  const { scalars, arrays } = carriedBy(rows);
  const columns = [
    valueColumn('run', UUID, ({ run }: StepRow) => run),
    valueColumn('attempt', INT4, ({ attempt }: StepRow) => attempt),
    valueColumn('step', INT8, ({ event }: StepRow) => event.step),
    valueColumn('time', TIMESTAMPTZ, ({ event }: StepRow) => event.time),
    ...scalars.map(({ name, kind }) => {
      const type = kind === 'count' ? INT8 : FLOAT8;
      return valueColumn(step[name].name, type, ({ event }: StepRow) => event[name]);
    }),
    ...arrays.map(({ name }) => arrayColumn(step[name].name, FLOAT4, arrayIn(name))),
  ];
  await copyIn(`step (${columns.map(({ name }) => name).join(', ')})`, copyRows(rows, columns));
}

/** The fields that any of the rows carries. */
function carriedBy(rows: readonly StepRow[]) {
  const isCarried = ({ name }: { name: StepScalar | StepArray }) => rows.some(({ event }) => event[name] != null);
  return { scalars: SCALAR_FIELDS.filter(isCarried), arrays: ARRAY_FIELDS.filter(isCarried) };
}

/**
 * Inserts steps, or merges them with what is stored, with one statement that has a parameter for each column, which is
 * some ten times as fast as one for each value. Arrays of different lengths make no array of arrays, so their elements
 * follow each other in one parameter, and each row takes its slices. A field that no row carries is not mentioned: it costs
 * nothing, and keeps what is stored.
 */
export function upsertSteps(rows: readonly StepRow[]): SQL {
  const floats: number[] = [];
  const { scalars, arrays } = carriedBy(rows);
  const columns: Column[] = [
    ['run', 'uuid', arrayFrom(UUID, rows, ({ run }) => run)],
    ['attempt', 'int4', arrayFrom(INT4, rows, ({ attempt }) => attempt)],
    ['step', 'int8', arrayFrom(INT8, rows, ({ event }) => event.step)],
    ['time', 'timestamptz', arrayFrom(TIMESTAMPTZ, rows, ({ event }) => event.time)],
    ...scalars.map(({ name, kind }): Column => {
      return kind === 'count'
        ? [step[name].name, 'int8', arrayFrom(INT8, rows, ({ event }) => event[name])]
        : [step[name].name, 'float8', arrayFrom(FLOAT8, rows, ({ event }) => event[name])];
    }),
    ...arrays.flatMap(({ name }) => sliceColumns(step[name].name, rows, arrayIn(name), floats)),
  ];
  const scalarNames = scalars.map(({ name }) => step[name].name);
  const arrayNames = arrays.map(({ name }) => step[name].name);
  const fields = [...scalarNames, ...arrayNames];
  const slices = arrayNames.map((name) => `floats[${name}_from : ${name}_to]`);
  const merged = fields.map((name) => `${name} = coalesce(excluded.${name}, step.${name})`);
  return sql`
    insert into ${step} (${sql.raw([KEY, 'time', ...fields].join(', '))})
    select ${sql.raw([KEY, 'time', ...scalarNames, ...slices].join(', '))}
    from (select ${arrayOf(FLOAT4, floats)}::real[] as floats) as flat, ${unnest(columns)}
    on conflict (${sql.raw(KEY)}) do update set
      ${sql.raw(['time = least(step.time, excluded.time)', ...merged].join(', '))}`;
}

/** Inserts custom scalars of steps of which none is stored. */
export async function copyScalars(copyIn: CopyIn, rows: readonly ScalarValues[]): Promise<void> {
  const columns = [
    valueColumn('run', UUID, ({ run }: ScalarValues) => run),
    valueColumn('attempt', INT4, ({ attempt }: ScalarValues) => attempt),
    valueColumn('step', INT8, ({ step }: ScalarValues) => step),
    valueColumn('set', INT4, ({ set }: ScalarValues) => set),
    arrayColumn('values', FLOAT8, ({ values }: ScalarValues) => values),
  ];
  await copyIn(`scalar_values (${KEY}, set, "values")`, copyRows(rows, columns));
}

/** Inserts custom scalars, or replaces those that were reported together before. */
export function upsertScalars(rows: readonly ScalarValues[]): SQL {
  const floats: number[] = [];
  const columns = [
    ['run', 'uuid', arrayFrom(UUID, rows, ({ run }) => run)] as const,
    ['attempt', 'int4', arrayFrom(INT4, rows, ({ attempt }) => attempt)] as const,
    ['step', 'int8', arrayFrom(INT8, rows, ({ step }) => step)] as const,
    ['set', 'int4', arrayFrom(INT4, rows, ({ set }) => set)] as const,
    ...sliceColumns('values', rows, ({ values }) => values, floats),
  ];
  return sql`
    insert into ${scalarValues} (${sql.raw(KEY)}, set, values)
    select ${sql.raw(KEY)}, set, floats[values_from : values_to]
    from (select ${arrayOf(FLOAT8, floats)}::float8[] as floats) as flat, ${unnest(columns)}
    on conflict (${sql.raw(KEY)}, set) do update set values = excluded.values, version = excluded.version`;
}

function unnest(columns: readonly Column[]): SQL {
  const params = columns.map(([, type, values]) => sql`${values}::${sql.raw(type)}[]`);
  return sql`unnest(${sql.join(params, sql`, `)}) as rows (${sql.raw(columns.map(([name]) => name).join(', '))})`;
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
