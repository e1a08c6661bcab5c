import { parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { GROUP_VALUES, writeParquet } from './parquet.ts';
import type { StepTable, TableColumn, TableValue } from './step-table.ts';

const CHUNK_ROWS = 2_000;
const SCALARS = 20;

const columns: TableColumn[] = [
  { name: 'attempt', kind: 'attempt' },
  { name: 'step', kind: 'step' },
  { name: 'time', kind: 'time' },
  ...Array.from({ length: SCALARS }, (_, at): TableColumn => ({ name: `scalar ${at}`, kind: 'scalar' })),
];

/** A table as it is read, which counts the rows that were taken from it. */
function tableOf(chunkCount: number): StepTable & { taken: () => number } {
  let taken = 0;
  async function* chunks(): AsyncGenerator<TableValue[][]> {
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      const first = chunk * CHUNK_ROWS;
      taken += CHUNK_ROWS;
      yield Array.from({ length: CHUNK_ROWS }, (_, at) => rowOf(first + at));
    }
  }
  return { columns, chunks: chunks(), taken: () => taken };
}

function rowOf(step: number): TableValue[] {
  return [1, step, 1_700_000_000_000 + step, ...Array.from({ length: SCALARS }, (_, at) => step / (at + 1))];
}

test('of a table however long no more than a row group is held', async () => {
  const table = tableOf(60);
  const heldRows = GROUP_VALUES / columns.length + CHUNK_ROWS;
  const pieces: Uint8Array[] = [];
  let takenBefore = 0;
  for await (const piece of writeParquet(table)) {
    pieces.push(piece);
    if (pieces.length === 1) continue; // the magic number, before any row group
    expect(table.taken() - takenBefore).toBeLessThanOrEqual(heldRows);
    expect(piece.length).toBeLessThan(2 * heldRows * columns.length * Float64Array.BYTES_PER_ELEMENT);
    takenBefore = table.taken();
  }
  expect(pieces.length).toBeGreaterThan(10);
  expect(table.taken()).toBe(60 * CHUNK_ROWS);
  const file = new Uint8Array(Buffer.concat(pieces)).buffer;
  const rows = await parquetReadObjects({ file, rowStart: 99_999, rowEnd: 100_001, columns: ['step', 'scalar 2'] });
  expect(rows).toEqual([99_999, 100_000].map((step) => ({ step: BigInt(step), 'scalar 2': step / 3 })));
});

test('the answer begins with the first chunk, before any row group is full', async () => {
  const table = tableOf(1_000);
  const { value } = await writeParquet(table).next();
  expect([new TextDecoder().decode(value as Uint8Array), table.taken()]).toEqual(['PAR1', CHUNK_ROWS]);
});
