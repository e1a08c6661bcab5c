import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { StepEvent } from '@evenkeel/protocol';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { LOAD_FIELDS, stepsOf } from './load.ts';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
const FLOAT8_OID = 701;
const MS_AT_2000 = Date.UTC(2000, 0, 1);
const CHUNK_BYTES = 256 * 1024;

/** A table, what COPY writes into it, in PostgreSQL's binary format, and its rows. */
interface CopyData {
  table: string;
  columns: string;
  bytes: Buffer;
}

const STEP_TABLE = `
  create table bench_step (run uuid, attempt int4, step int8, time timestamptz,
    ${LOAD_FIELDS.map((_, at) => `v${at} float8`).join(', ')}, primary key (run, attempt, step));
  create table bench_scalar (run uuid, attempt int4, step int8, set int4, "values" float8[],
    primary key (run, attempt, step, set))`;

/** Steps a second that a bare binary COPY of their rows stores: into PostgreSQL, with the same keys, in one transaction. */
export async function copyIntoPostgres(url: string, load: { scalars: number }, steps: number): Promise<number> {
  const data = copyData(load, steps);
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(STEP_TABLE);
    const began = performance.now();
    await client.query('begin');
    for (const { table, columns, bytes } of data) {
      const into = client.query(copyFrom(`copy ${table} (${columns}) from stdin with (format binary)`));
      await pipeline(Readable.from(chunksOf(bytes)), into);
    }
    await client.query('commit');
    return (1_000 * steps) / (performance.now() - began);
  } finally {
    await client.query('drop table if exists bench_step, bench_scalar');
    await client.end();
  }
}

/** The same into an embedded database of its own, in a new folder. */
export async function copyIntoPglite(folder: string, load: { scalars: number }, steps: number): Promise<number> {
  const { PGlite } = await import('@electric-sql/pglite'); // takes a while to load
  const data = copyData(load, steps);
  const db = await PGlite.create(join(folder, 'copy'));
  try {
    await db.exec(STEP_TABLE);
    const began = performance.now();
    await db.transaction(async (tx) => {
      for (const { table, columns, bytes } of data) {
        const blob = new Blob([Uint8Array.from(bytes)]);
        await tx.query(`copy ${table} (${columns}) from '/dev/blob' with (format binary)`, [], { blob });
      }
    });
    return (1_000 * steps) / (performance.now() - began);
  } finally {
    await db.close();
  }
}

function copyData(load: { scalars: number }, count: number): CopyData[] {
  const stepAt = stepsOf(load);
  const run = Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
  const steps = Array.from({ length: count }, (_, at) => stepAt(at));
  const fields = LOAD_FIELDS.slice(0, load.scalars).map((name, at) => ({ name, column: `v${at}` }));
  const columns = ['run', 'attempt', 'step', 'time', ...fields.map(({ column }) => column)].join(', ');
  const step = { table: 'bench_step', columns, bytes: encode(steps, (event) => stepRow(run, event, fields)) };
  if (load.scalars <= fields.length) return [step];
  const scalar = {
    table: 'bench_scalar',
    columns: 'run, attempt, step, set, "values"',
    bytes: encode(steps, (event) => scalarRow(run, event)),
  };
  return [step, scalar];
}

type Fields = readonly { name: (typeof LOAD_FIELDS)[number] }[];

function stepRow(run: Buffer, event: StepEvent, fields: Fields): Buffer[] {
  return [
    ...keyOf(run, event),
    int64((event.time - MS_AT_2000) * 1_000),
    ...fields.map(({ name }) => float64(event[name] ?? 0)),
  ];
}

function scalarRow(run: Buffer, event: StepEvent): Buffer[] {
  return [...keyOf(run, event), int32(0), float64Array(Object.values(event.custom ?? {}))];
}

function keyOf(run: Buffer, { step }: StepEvent): Buffer[] {
  return [run, int32(1), int64(step)];
}

function encode(steps: readonly StepEvent[], row: (step: StepEvent) => Buffer[]): Buffer {
  const parts: Buffer[] = [SIGNATURE];
  for (const step of steps) {
    const fields = row(step);
    const count = Buffer.alloc(2);
    count.writeInt16BE(fields.length);
    parts.push(count);
    for (const field of fields) parts.push(int32(field.length), field);
  }
  parts.push(TRAILER);
  return Buffer.concat(parts);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(Math.round(value)));
  return buffer;
}

function float64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  return buffer;
}

function float64Array(values: readonly number[]): Buffer {
  const header = [1, 0, FLOAT8_OID, values.length, 1].map(int32);
  return Buffer.concat([...header, ...values.flatMap((value) => [int32(8), float64(value)])]);
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
