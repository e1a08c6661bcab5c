import { STEP_ARRAYS, type StepEvent } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import { makePgArray } from 'drizzle-orm/pg-core';
import { arrayOf, FLOAT4, FLOAT8, INT4, INT8, TIMESTAMPTZ, UUID } from './array-wire.ts';
import { CHART_METRICS, step } from './schema.ts';

/** A step, and where it belongs. */
export interface StepRow {
  run: string;
  attempt: number;
  event: StepEvent;
  /** By the run's list of custom names; null where the step has none. */
  custom: (number | null)[] | null;
}

/** A column of rows as one parameter: an array in binary, or as text. */
type Column = readonly [name: string, type: string, values: Buffer | string];

const SCALARS = [...CHART_METRICS.map((name) => step[name].name), 'tokens'];
const ARRAYS = STEP_ARRAYS.map((name) => step[name].name);
const INSERTED = ['run', 'attempt', 'step', 'time', ...SCALARS, ...ARRAYS, 'custom'];
const KEY = ['run', 'attempt', 'step'];
const REPLACED = INSERTED.filter((name) => !KEY.includes(name));

/**
 * Inserts or replaces steps with one statement that has a parameter for each column, which is some ten times as fast as
 * one for each value. Arrays of different lengths make no array of arrays, so their elements follow each other in one
 * parameter, and each row takes its slices.
 */
export function upsertSteps(rows: readonly StepRow[]): SQL {
  const floats: number[] = [];
  const columns: Column[] = [
    [
      'run',
      'uuid',
      arrayOf(
        UUID,
        rows.map(({ run }) => run),
      ),
    ],
    [
      'attempt',
      'int4',
      arrayOf(
        INT4,
        rows.map(({ attempt }) => attempt),
      ),
    ],
    [
      'step',
      'int8',
      arrayOf(
        INT8,
        rows.map(({ event }) => event.step),
      ),
    ],
    [
      'time',
      'timestamptz',
      arrayOf(
        TIMESTAMPTZ,
        rows.map(({ event }) => event.time),
      ),
    ],
    ...CHART_METRICS.map((name) => scalarColumn(rows, name)),
    [
      'tokens',
      'int8',
      arrayOf(
        INT8,
        rows.map(({ event }) => event.tokens),
      ),
    ],
    ...STEP_ARRAYS.flatMap((name) => sliceColumns(rows, name, floats)),
    ['custom', 'text', makePgArray(rows.map(({ custom }) => custom && realArray(custom)))],
  ];
  const params = columns.map(([, type, values]) => sql`${values}::${sql.raw(type)}[]`);
  const taken = ARRAYS.map((name) => `floats[${name}_from : ${name}_to]`);
  return sql`
    insert into ${step} (${sql.raw(INSERTED.join(', '))})
    select ${sql.raw(['run', 'attempt', 'step', 'time', ...SCALARS, ...taken, 'custom::real[]'].join(', '))}
    from (select ${arrayOf(FLOAT4, floats)}::real[] as floats) as flat,
      unnest(${sql.join(params, sql`, `)}) as rows (${sql.raw(columns.map(([name]) => name).join(', '))})
    on conflict (${sql.raw(KEY.join(', '))})
    do update set ${sql.raw(REPLACED.map((name) => `${name} = excluded.${name}`).join(', '))}`;
}

function scalarColumn(rows: readonly StepRow[], name: (typeof CHART_METRICS)[number]): Column {
  return [
    step[name].name,
    'float8',
    arrayOf(
      FLOAT8,
      rows.map(({ event }) => event[name]),
    ),
  ];
}

/** Appends what the rows hold to `floats`, and says where: both bounds count from 1, null where a row holds nothing. */
function sliceColumns(rows: readonly StepRow[], name: (typeof STEP_ARRAYS)[number], floats: number[]): Column[] {
  const from: (number | null)[] = [];
  const to: (number | null)[] = [];
  for (const { event } of rows) {
    const values = event[name];
    from.push(values ? floats.length + 1 : null);
    for (const value of values ?? []) floats.push(value);
    to.push(values ? floats.length : null);
  }
  return [
    [`${step[name].name}_from`, 'int4', arrayOf(INT4, from)],
    [`${step[name].name}_to`, 'int4', arrayOf(INT4, to)],
  ];
}

/** Rounded to float32 here, since PostgreSQL refuses to where that overflows. */
function realArray(values: readonly (number | null)[]): string {
  return makePgArray(values.map((value) => value && Math.fround(value)));
}
