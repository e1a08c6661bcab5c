import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { anyNumber } from '@evenkeel/protocol';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import { z } from 'zod';
import type { Found, StoredRun, StoreFormat } from '../format.ts';
import { Losses } from '../losses.ts';

// Columns and types of attributes as the README of github.com/neptune-ai/neptune-exporter describes them (2026-02).
const COLUMNS = ['project_id', 'run_id', 'attribute_path', 'attribute_type', 'step', 'timestamp'];
const VALUES = ['float_value', 'int_value', 'string_value', 'bool_value', 'datetime_value', 'string_set_value'];
const HEAD = 'PAR1';

const recordSchema = z.object({
  project_id: z.string(),
  run_id: z.string(),
  attribute_path: z.string(),
  attribute_type: z.string(),
  step: z.number().nullish(),
  timestamp: z.date().nullish(),
  float_value: anyNumber.nullish(),
  int_value: z.union([z.number(), z.bigint()]).nullish(),
  string_value: z.string().nullish(),
  bool_value: z.boolean().nullish(),
  datetime_value: z.date().nullish(),
  string_set_value: z.array(z.string()).nullish(),
});
type Attribute = z.output<typeof recordSchema>;

/** The folder of a project in what Neptune's exporter has written, or one Parquet file of it. */
export const neptune: StoreFormat = {
  name: 'neptune',
  async matches(path) {
    const [first] = await partsIn(path);
    return first !== undefined && isExport(first);
  },
  async *runs(path) {
    for (const [run, parts] of await partsByRun(path)) yield await describe(run, parts);
  },
};

/** @returns the Parquet files of a folder, in the order of parts. */
async function partsIn(path: string): Promise<string[]> {
  const stats = await stat(path).catch(() => null);
  if (stats?.isFile()) return [path];
  const names = await readdir(path).catch(() => []);
  const parts = names.filter((name) => name.endsWith('.parquet'));
  return parts.map((name) => join(path, name)).sort(byPart);
}

/** `_part_10` comes after `_part_9`. */
function byPart(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

async function isExport(path: string): Promise<boolean> {
  if ((await headOf(path)) !== HEAD) return false;
  const columns = await openParquet(path).then(
    ({ metadata }) => new Set(metadata.schema.map(({ name }) => name)),
    () => new Set<string>(), // it is damaged
  );
  return COLUMNS.every((name) => columns.has(name));
}

async function headOf(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { buffer } = await file.read({ buffer: Buffer.alloc(HEAD.length) });
    return buffer.toString('latin1');
  } catch {
    return ''; // a folder, a link to nothing, or not to be read
  }
}

interface Parquet {
  file: AsyncBuffer;
  metadata: FileMetaData;
}

async function openParquet(path: string): Promise<Parquet> {
  const file = await asyncBufferFromFile(path);
  return { file, metadata: await parquetMetadataAsync(file) };
}

/** The files of each run; a file is of one run. */
async function partsByRun(path: string): Promise<Map<string, string[]>> {
  const runs = new Map<string, string[]>();
  for (const part of await partsIn(path)) {
    if (!(await isExport(part))) continue;
    const [first] = await readRows(await openParquet(part), 0, 1);
    if (!first) continue;
    const run = JSON.stringify([first.project_id, first.run_id]);
    runs.set(run, [...(runs.get(run) ?? []), part]);
  }
  return runs;
}

async function* attributes(parts: readonly string[]): AsyncGenerator<Attribute> {
  for (const part of parts) {
    const parquet = await openParquet(part);
    let start = 0;
    for (const { num_rows } of parquet.metadata.row_groups) {
      const end = start + Number(num_rows);
      yield* await readRows(parquet, start, end);
      start = end;
    }
  }
}

async function readRows({ file, metadata }: Parquet, rowStart: number, rowEnd: number): Promise<Attribute[]> {
  const known = new Set(metadata.schema.map(({ name }) => name));
  const columns = [...COLUMNS, ...VALUES].filter((name) => known.has(name));
  const rows = await parquetReadObjects({ file, metadata, columns, rowStart, rowEnd });
  return rows.map((row) => recordSchema.parse(row));
}

/** Reads the whole run once for its facts, which may be in any part of it. */
async function describe(run: string, parts: readonly string[]): Promise<StoredRun> {
  const [project, id] = z.tuple([z.string(), z.string()]).parse(JSON.parse(run));
  const stored: StoredRun = { id, project, name: id, config: {}, read: () => readRun(parts) };
  for await (const attribute of attributes(parts)) addFact(stored, attribute);
  return stored;
}

/** `sys/…` are Neptune's own. */
function addFact(run: StoredRun, attribute: Attribute): void {
  const { attribute_path: path, string_value, datetime_value, string_set_value } = attribute;
  if (path === 'sys/name' && string_value) run.name = string_value;
  else if (path === 'sys/description' && string_value) run.notes = string_value;
  else if (path === 'sys/creation_time' && datetime_value) run.startedAt = datetime_value.getTime();
  else if (path === 'sys/tags' && string_set_value?.length) run.tags = string_set_value;
  else if (!path.startsWith('sys/')) {
    const value = configValue(attribute);
    if (value != null) run.config = { ...run.config, [path]: value };
  }
}

function configValue(attribute: Attribute): unknown {
  switch (attribute.attribute_type) {
    case 'float':
      return attribute.float_value;
    case 'int':
      return attribute.int_value;
    case 'string':
      return attribute.string_value;
    case 'bool':
      return attribute.bool_value;
    case 'datetime':
      return attribute.datetime_value?.toISOString();
    case 'string_set':
      return attribute.string_set_value;
    default:
      return null; // a series or a file
  }
}

const FACTS = new Set(['float', 'int', 'string', 'bool', 'datetime', 'string_set']);

async function* readRun(parts: readonly string[]): AsyncGenerator<Found> {
  const losses = new Losses();
  for await (const { attribute_path, attribute_type, step, timestamp, float_value } of attributes(parts)) {
    if (FACTS.has(attribute_type)) continue;
    if (attribute_type !== 'float_series') losses.add(`values of type ${attribute_type}`, 'only numbers are read');
    else if (!Number.isSafeInteger(step)) losses.add('points', 'their step is no whole number');
    else if (float_value != null) {
      const values = { [attribute_path]: float_value };
      yield { kind: 'row', step: step as number, time: timestamp?.getTime() ?? null, values };
    }
  }
  yield* losses.take();
}
