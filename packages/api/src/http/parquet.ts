import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { StepTable, TableColumn, TableValue } from './step-table.ts';

/** For the header `Content-Type`. */
export const PARQUET_TYPE = 'application/vnd.apache.parquet';

/**
 * Values after which a row group is written: 2 MB of them, which is all that an export holds besides its footer. The
 * footer has an entry for each column of each row group, so a row group of many columns has the fewest rows at least.
 */
export const GROUP_VALUES = 250_000;
const MIN_GROUP_ROWS = 500;

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];
type Cell = TableValue | bigint;

/**
 * Writes a table as a Parquet file, a piece for each row group. It has no statistics: readers skip row groups by them, and
 * some then skip those that hold NaN.
 * @param metadata what stands beside the columns, by its keys.
 */
export async function* writeParquet(
  { columns, chunks }: StepTable,
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  const file = new ParquetWriter({
    writer: bytes,
    schema: [{ name: 'root', num_children: columns.length }, ...columns.flatMap(elementsOf)],
    statistics: false,
    kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    createdBy: 'Evenkeel',
  });
  let group = new RowGroup(columns);
  for await (const rows of chunks) {
    for (const row of rows) group.add(row);
    if (group.isFull) {
      group.writeTo(file);
      group = new RowGroup(columns);
    }
    if (bytes.index > 0) yield take(bytes);
  }
  group.writeTo(file);
  file.finish();
  yield take(bytes);
}

/** What was written since, without which the writer goes on. */
function take(bytes: ByteWriter): Uint8Array {
  const taken = bytes.getBytes().slice();
  bytes.index = 0;
  return taken;
}

/** Rows that are written together, by columns. */
class RowGroup {
  readonly #columns: readonly TableColumn[];
  readonly #cells: Cell[][];
  #rows = 0;
  #values = 0;

  constructor(columns: readonly TableColumn[]) {
    this.#columns = columns;
    this.#cells = columns.map(() => []);
  }

  get isFull(): boolean {
    return this.#rows >= MIN_GROUP_ROWS && this.#values >= GROUP_VALUES;
  }

  add(row: readonly TableValue[]): void {
    for (const [at, { kind }] of this.#columns.entries()) {
      const value = row[at] ?? null;
      this.#cells[at]?.push(isInteger64(kind) && typeof value === 'number' ? BigInt(value) : value);
      this.#values += Array.isArray(value) ? value.length : 1;
    }
    this.#rows += 1;
  }

  /** Not by dictionaries where those would take -0 for 0. */
  writeTo(file: ParquetWriter): void {
    if (this.#rows === 0) return;
    const columnData = this.#columns.map(({ name, kind }, at) => ({
      name,
      data: this.#cells[at] as Cell[],
      offsetIndex: false,
      ...(kind === 'scalar' || kind === 'array' ? { encoding: 'PLAIN' as const } : {}),
    }));
    file.write({ columnData, rowGroupSize: this.#rows });
  }
}

function isInteger64(kind: TableColumn['kind']): boolean {
  return kind === 'step' || kind === 'count';
}

function elementsOf({ name, kind }: TableColumn): SchemaElement[] {
  if (kind === 'attempt') return [{ name, type: 'INT32', repetition_type: 'REQUIRED' }];
  if (kind === 'step') return [{ name, type: 'INT64', repetition_type: 'REQUIRED' }];
  if (kind === 'time') return [timeElement(name)];
  if (kind === 'count') return [{ name, type: 'INT64', repetition_type: 'OPTIONAL' }];
  if (kind === 'scalar') return [{ name, type: 'DOUBLE', repetition_type: 'OPTIONAL' }];
  return [
    { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' }, // as it is stored
  ];
}

function timeElement(name: string): SchemaElement {
  return {
    name,
    type: 'INT64',
    repetition_type: 'REQUIRED',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  };
}
