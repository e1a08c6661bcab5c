import { type CopyLoop, copyLoop, TILE_COLUMNS, TILE_ROWS, type TileLoop, tileLoop, type WasmMemory } from './loops.ts';

/** left [rows, inner] · right [inner, columns] */
export interface ProductShape {
  rows: number;
  inner: number;
  columns: number;
}

/** A float32 matrix in wasm memory. A transposed one is stored as [inner, rows], or [columns, inner]. */
export interface Operand {
  address: number;
  transposed: boolean;
}

const FLOAT = 4; // bytes

/**
 * Computes products of one shape, of matrices in the memory of a wasm module, which must not grow while this is in use.
 * A product is computed 8 columns at a time, from a contiguous copy of those columns of the right matrix (a panel): rows
 * that are far apart, above all at powers of 2, do not stay in the first-level cache. Addresses and strides are in bytes.
 */
export class MatrixProduct {
  private readonly shape: ProductShape;
  private readonly loops: Loops;
  private readonly heap: Float32Array;
  private readonly panel: number; // of the right matrix [inner, 8]
  private readonly edge: number; // of the product [rows, 8]
  private readonly strips: number; // of a transposed left matrix [rows / 4, inner, 4]

  /** The scratch memory that it needs, in float32 elements. */
  static scratch({ rows, inner }: ProductShape, leftTransposed: boolean): number {
    return (inner + rows) * TILE_COLUMNS + (leftTransposed ? rows * inner : 0);
  }

  constructor(memory: WasmMemory, shape: ProductShape, scratch: number) {
    this.shape = shape;
    this.loops = loopsOf(memory);
    this.heap = new Float32Array(memory.buffer);
    this.panel = scratch;
    this.edge = this.panel + shape.inner * TILE_COLUMNS * FLOAT;
    this.strips = this.edge + shape.rows * TILE_COLUMNS * FLOAT;
  }

  /** Computes left · right and writes it to the address `product`. */
  multiply(left: Operand, right: Operand, product: number): void {
    const { rows, inner, columns } = this.shape;
    if (rows * inner === 0) {
      this.heap.fill(0, product / FLOAT, product / FLOAT + rows * columns);
      return;
    }
    if (left.transposed) this.copyStrips(left.address);
    for (let column = 0; column < columns; column += TILE_COLUMNS) {
      const width = Math.min(TILE_COLUMNS, columns - column);
      this.copyPanel(right, column, width);
      if (width === TILE_COLUMNS) {
        this.multiplyPanel(left, product + column * FLOAT, columns * FLOAT);
      } else {
        this.multiplyPanel(left, this.edge, TILE_COLUMNS * FLOAT);
        this.copyEdge(product + column * FLOAT, width);
      }
    }
  }

  /** Copies a transposed left matrix so that each row of tiles reads contiguous memory. */
  private copyStrips(left: number): void {
    const { rows, inner } = this.shape;
    for (let row = 0; row + TILE_ROWS <= rows; row += TILE_ROWS) {
      this.loops.copy4(inner, left + row * FLOAT, rows * FLOAT, this.strips + row * inner * FLOAT);
    }
  }

  /** Copies `width` columns of the right matrix, from `column` on; the panel's other columns are never read. */
  private copyPanel({ address, transposed }: Operand, column: number, width: number): void {
    const { inner, columns } = this.shape;
    if (!transposed && width === TILE_COLUMNS) {
      this.loops.copy8(inner, address + column * FLOAT, columns * FLOAT, this.panel);
      return;
    }
    const { heap } = this;
    const panel = this.panel / FLOAT;
    const [row, step] = transposed ? [1, inner] : [columns, 1];
    for (let at = 0; at < width; at++) {
      const from = address / FLOAT + (column + at) * step;
      for (let k = 0; k < inner; k++) heap[panel + k * TILE_COLUMNS + at] = heap[from + k * row] as number;
    }
  }

  /** left [rows, inner] · panel [inner, 8] → 8 columns of a matrix with a row stride of `productRow` */
  private multiplyPanel(left: Operand, product: number, productRow: number): void {
    const { rows, inner } = this.shape;
    const { loops, panel, strips } = this;
    const below = rows % TILE_ROWS; // rows that fill no tile
    const above = rows - below;
    const tile = TILE_ROWS * inner * FLOAT;
    const [row, column] = left.transposed ? [FLOAT, rows * FLOAT] : [inner * FLOAT, FLOAT];
    if (above > 0) {
      const [a, aRow, aColumn] = left.transposed ? [strips, FLOAT, TILE_ROWS * FLOAT] : [left.address, row, column];
      loops.tiles(above / TILE_ROWS, inner, a, tile, aRow, aColumn, panel, product, productRow);
    }
    if (below > 0) {
      const [a, to] = [left.address + above * row, product + above * productRow];
      loops.rows(below, inner, a, row, 0, column, panel, to, productRow);
    }
  }

  /** Copies the product's last columns, which are fewer than 8. */
  private copyEdge(product: number, width: number): void {
    const { rows, columns } = this.shape;
    for (let row = 0; row < rows; row++) {
      const from = this.edge / FLOAT + row * TILE_COLUMNS;
      this.heap.copyWithin(product / FLOAT + row * columns, from, from + width);
    }
  }
}

interface Loops {
  tiles: TileLoop;
  /** Tiles of one row. */
  rows: TileLoop;
  copy4: CopyLoop;
  copy8: CopyLoop;
}

const loopsByMemory = new WeakMap<WasmMemory, Loops>();

function loopsOf(memory: WasmMemory): Loops {
  let loops = loopsByMemory.get(memory);
  if (!loops) {
    loops = {
      tiles: tileLoop(memory, TILE_ROWS),
      rows: tileLoop(memory, 1),
      copy4: copyLoop(memory, TILE_ROWS),
      copy8: copyLoop(memory, TILE_COLUMNS),
    };
    loopsByMemory.set(memory, loops);
  }
  return loops;
}
