// The inner loops of a matrix product in WebAssembly, for its vector instructions, which JavaScript does not have. They
// are assembled here instruction by instruction, which needs less than a compiler and a binary file would. Encodings
// follow the WebAssembly core specification 2.0, chapter 5.

const VECTOR_BYTES = 16;
const FLOAT_BYTES = 4;

/** The part of a product that is computed at once: its sums and their factors fit into 16 vector registers. */
export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;

/**
 * Computes `tiles` tiles, one below the other, of a product a · b, where a has `inner` columns and b has `inner`
 * contiguous rows; both counts are at least 1. `a`, `b` and `product` are addresses; `aTile`, `aRow`, `aColumn` and
 * `productRow` are strides in bytes. Sums are of float32, in the order of b's rows.
 */
export type TileLoop = (
  tiles: number,
  inner: number,
  a: number,
  aTile: number,
  aRow: number,
  aColumn: number,
  b: number,
  product: number,
  productRow: number,
) => void;

/** Copies `rows` rows with a stride of `fromRow` bytes to contiguous memory. */
export type CopyLoop = (rows: number, from: number, fromRow: number, to: number) => void;

/** The loop for tiles of `rows` rows. */
export function tileLoop(memory: WasmMemory, rows: number): TileLoop {
  return compiled(memory, 9, tileCode(rows));
}

/** The loop for rows of `columns` float32, a multiple of 4. */
export function copyLoop(memory: WasmMemory, columns: number): CopyLoop {
  return compiled(memory, 4, copyCode(vectorOffsets(columns)));
}

type Code = number[];

interface FunctionCode {
  /** Local variables after the parameters: first the integers, then the vectors. */
  integers: number;
  vectors: number;
  code: Code;
}

function tileCode(rows: number): FunctionCode {
  const [tiles, inner, a, aTile, aRow, aColumn, b, product, productRow] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const [left, bAt, firstRow] = [9, 10, 11] as const;
  const factor = firstRow + rows;
  const columns = vectorOffsets(TILE_COLUMNS).map((offset, at) => ({
    offset,
    b: factor + 1 + at * (1 + rows),
    sum: (row: number) => factor + 2 + at * (1 + rows) + row,
  }));
  const everyRow = (code: (row: number) => Code) => Array.from({ length: rows }, (_, row) => code(row)).flat();
  const aAt = (row: number) => firstRow + row;

  const begin = [
    ...[...set(left, get(inner)), ...set(bAt, get(b))],
    ...everyRow((row) => set(aAt(row), row === 0 ? get(a) : sum(get(aAt(row - 1)), get(aRow)))),
    ...everyRow((row) => columns.flatMap((column) => set(column.sum(row), VECTOR_OF_ZEROS))),
  ];
  const addProducts = [
    ...columns.flatMap(({ offset, b }) => set(b, loadVector(get(bAt), offset))),
    ...everyRow((row) => [
      ...set(factor, loadSplat(get(aAt(row)))),
      ...columns.flatMap((column) =>
        set(column.sum(row), vectorSum(get(column.sum(row)), vectorProduct(get(factor), get(column.b)))),
      ),
      ...increase(aAt(row), get(aColumn)),
    ]),
    ...increase(bAt, integer(TILE_COLUMNS * FLOAT_BYTES)),
  ];
  const finish = [
    ...everyRow((row) => [
      ...columns.flatMap((column) => storeVector(get(product), column.offset, get(column.sum(row)))),
      ...increase(product, get(productRow)),
    ]),
    ...increase(a, get(aTile)),
  ];
  return {
    integers: 2 + rows,
    vectors: 1 + columns.length * (1 + rows),
    code: times(tiles, [...begin, ...times(left, addProducts), ...finish]),
  };
}

function copyCode(offsets: number[]): FunctionCode {
  const [rows, from, fromRow, to] = [0, 1, 2, 3] as const;
  const copyRow = [
    ...offsets.flatMap((offset) => storeVector(get(to), offset, loadVector(get(from), offset))),
    ...[...increase(from, get(fromRow)), ...increase(to, integer(offsets.length * VECTOR_BYTES))],
  ];
  return { integers: 0, vectors: 0, code: times(rows, copyRow) };
}

function vectorOffsets(columns: number): number[] {
  return Array.from({ length: (columns * FLOAT_BYTES) / VECTOR_BYTES }, (_, at) => at * VECTOR_BYTES);
}

const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const integer = (value: number): Code => [0x41, value & 0x7f]; // from -64 to 63
const sum = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
const increase = (local: number, by: Code): Code => set(local, sum(get(local), by));
/** Repeats a body as many times as a local counts, which is 0 afterwards. */
const times = (local: number, body: Code): Code => {
  const left = [...sum(get(local), integer(-1)), 0x22, local]; // stored, and left for the branch
  return [...[0x03, 0x40], ...body, ...left, ...[0x0d, 0x00], END];
};
const END = 0x0b;

const FLOAT_ALIGNED = 2; // a power of 2
const vector = (instruction: number): Code => [0xfd, ...count(instruction)];
const VECTOR_OF_ZEROS = [...vector(0x0c), ...new Array(VECTOR_BYTES).fill(0)];
const vectorSum = (a: Code, b: Code): Code => [...a, ...b, ...vector(0xe4)];
const vectorProduct = (a: Code, b: Code): Code => [...a, ...b, ...vector(0xe6)];
const loadVector = (address: Code, offset: number): Code => [...address, ...vector(0x00), FLOAT_ALIGNED, offset];
/** Loads one float32 into all lanes. */
const loadSplat = (address: Code): Code => [...address, ...vector(0x09), FLOAT_ALIGNED, 0];
const storeVector = (address: Code, offset: number, value: Code): Code => [
  ...[...address, ...value],
  ...[...vector(0x0b), FLOAT_ALIGNED, offset],
];

/** An unsigned integer in LEB128: 7 bits a byte. */
function count(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...count(value >> 7)];
}
const list = (items: Code[]): Code => [...count(items.length), ...items.flat()];
const sized = (code: Code): Code => [...count(code.length), ...code];
const name = (text: string): Code => sized([...new TextEncoder().encode(text)]);

const I32 = 0x7f;
const V128 = 0x7b;

/** Compiles a function of integers, without a result, into a module of its own. */
function compiled<F>(memory: WasmMemory, parameters: number, { integers, vectors, code }: FunctionCode): F {
  const type = [0x60, ...list(new Array(parameters).fill([I32])), ...list([])];
  const locals = [
    [...count(integers), I32],
    [...count(vectors), V128],
  ];
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...[1, ...sized(list([type]))],
    ...[2, ...sized(list([[...name('env'), ...name('memory'), 2, 0, 1]]))], // imports: a memory of a page or more
    ...[3, ...sized(list([[0]]))], // functions: one, of the first type
    ...[7, ...sized(list([[...name('run'), 0, 0]]))], // exports: the first function
    ...[10, ...sized(list([sized([...list(locals), ...code, END])]))],
  ];
  const module = new WebAssembly.Module(new Uint8Array(bytes));
  return new WebAssembly.Instance(module, { env: { memory } }).exports.run as F;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** The part of the global `WebAssembly` in use here, which Node's types leave out. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };
