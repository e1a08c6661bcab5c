import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WasmMemory } from './loops.ts';
import { MatrixProduct } from './matrix-product.ts';

// Kernels for the wasm backend of TensorFlow.js that replace its own where those are slow, wrong or missing. Most of a
// training step is matrix products. The backend's own is fast only for two matrices that are not transposed: with a
// transposed operand or a batch, and so in all of attention, it is a scalar loop; and it confuses a buffer with its
// reshape where both are right operands. Its kernels for parts of a tensor copy the whole tensor to JavaScript's heap
// first.

/**
 * Registers the kernels with TensorFlow.js, for the backend `wasm`. Import `@tensorflow/tfjs-backend-wasm` first: its
 * own kernels must be registered before they can be replaced.
 */
export function registerWasmKernels(): void {
  register(tf.BatchMatMul, batchMatMul);
  register(tf.GatherV2, gather);
  register(tf.Identity, identity);
  register(tf.Slice, slice);
  register(tf.SplitV, split);
  register(tf.UnsortedSegmentSum, unsortedSegmentSum);
}

type Inputs<Name extends string> = Record<Name, tf.TensorInfo>;

/** Returns null where it leaves the work to the backend's own kernel. */
type Kernel = (wasm: BackendWasm, inputs: never, attributes: never) => tf.TensorInfo | tf.TensorInfo[] | null;

function register(kernelName: string, kernel: Kernel): void {
  const own = tf.getKernel(kernelName, 'wasm');
  if (own) tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({
    ...own, // keeps its setup function
    kernelName,
    backendName: 'wasm',
    kernelFunc: (given) =>
      kernel(given.backend as BackendWasm, given.inputs as never, given.attrs as never) ?? own.kernelFunc(given),
  });
}

/** a [… , m, k], b [… , k, n], each possibly transposed → [… , m, n]; an operand without a batch is broadcast. */
function batchMatMul(
  wasm: BackendWasm,
  { a, b }: Inputs<'a' | 'b'>,
  { transposeA, transposeB }: tf.BatchMatMulAttrs,
): tf.TensorInfo {
  const [aCount, m, k] = matrices(a, transposeA);
  const [bCount, inner, n] = matrices(b, transposeB);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const count = tf.util.sizeFromShape(batch);
  const fits = [aCount, bCount].every((matrices) => matrices === 1 || matrices === count);
  tf.util.assert(
    a.dtype === 'float32' && b.dtype === 'float32' && k === inner && fits,
    () => `matMul cannot multiply [${a.shape}] by [${b.shape}] (transposed: ${transposeA}, ${transposeB})`,
  );
  const product = wasm.makeOutput([...batch, m, n], 'float32');
  const stacked = bCount === 1 && !transposeA ? count : 1; // matrices of the batch that form one tall matrix
  const shape = { rows: stacked * m, inner: k, columns: n };
  const scratch = wasm.makeOutput([MatrixProduct.scratch(shape, transposeA)], 'float32');
  const matrixProduct = new MatrixProduct(memoryOf(wasm), shape, addressOf(wasm, scratch));
  for (let at = 0; at < count; at += stacked) {
    matrixProduct.multiply(
      { address: addressOf(wasm, a, aCount === 1 ? 0 : at * m * k), transposed: transposeA },
      { address: addressOf(wasm, b, bCount === 1 ? 0 : at * k * n), transposed: transposeB },
      addressOf(wasm, product, at * m * n),
    );
  }
  wasm.disposeData(scratch.dataId);
  return product;
}

/** How many matrices a tensor holds, and their rows and columns after a transposition. */
function matrices({ shape }: tf.TensorInfo, transposed: boolean): [count: number, rows: number, columns: number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const count = tf.util.sizeFromShape(shape.slice(0, -2));
  return transposed ? [count, columns, rows] : [count, rows, columns];
}

/** The memory of the backend's module, which holds all tensors; the backend's types leave it out. */
function memoryOf({ wasm }: BackendWasm): WasmMemory {
  return (wasm as unknown as { asm: { memory: WasmMemory } }).asm.memory;
}

const FLOAT_BYTES = 4;

/** The address in bytes of element `at` of a float32 tensor. */
function addressOf(wasm: BackendWasm, { dataId }: tf.TensorInfo, at = 0): number {
  return wasm.getMemoryOffset(dataId) + at * FLOAT_BYTES;
}

/** Shares the data. The backend's own kernel copies it, which is not needed: no kernel writes to its inputs. */
function identity(wasm: BackendWasm, { x }: Inputs<'x'>): tf.TensorInfo | null {
  if (x.dtype === 'string') return null;
  wasm.incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}

/** Handles float32 slices that are contiguous in memory. */
function slice(wasm: BackendWasm, { x }: Inputs<'x'>, { begin, size }: tf.SliceAttrs): tf.TensorInfo | null {
  const [from, shape] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
  if (x.dtype !== 'float32' || !tf.slice_util.isSliceContinous(x.shape, from, shape)) return null;
  return pieces(wasm, x, shape, [tf.slice_util.computeFlatOffset(from, tf.util.computeStrides(x.shape))]);
}

/** Handles float32. x [… , n, …] → one tensor for each size along the axis. */
function split(
  wasm: BackendWasm,
  { x }: Inputs<'x'>,
  { numOrSizeSplits, axis }: tf.SplitVAttrs,
): tf.TensorInfo[] | null {
  if (x.dtype !== 'float32') return null;
  const [along] = tf.util.parseAxisParam(axis, x.shape) as [number];
  const count = tf.util.sizeFromShape(x.shape.slice(0, along));
  const stride = tf.util.sizeFromShape(x.shape.slice(along));
  let begin = 0;
  return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along).map((size) => {
    const starts = Array.from({ length: count }, (_, at) => at * stride + begin);
    begin += size * tf.util.sizeFromShape(x.shape.slice(along + 1));
    return pieces(wasm, x, x.shape.with(along, size), starts);
  });
}

/** Handles float32 along the first axis. x [V, …], indices [N…] → [N…, …] */
function gather(
  wasm: BackendWasm,
  { x, indices }: Inputs<'x' | 'indices'>,
  { axis, batchDims }: tf.GatherV2Attrs,
): tf.TensorInfo | null {
  if (x.dtype !== 'float32' || axis !== 0 || batchDims !== 0) return null;
  const [count, ...rest] = x.shape as [number, ...number[]];
  const width = tf.util.sizeFromShape(rest);
  const rows = Array.from(wasm.typedArrayFromHeap(indices));
  const outside = rows.find((index) => index < 0 || index >= count);
  tf.util.assert(outside === undefined, () => `gather: index ${outside} is outside of the ${count} entries`);
  return pieces(
    wasm,
    x,
    [...indices.shape, ...rest],
    rows.map((index) => index * width),
  );
}

/** Builds a tensor of `shape` from pieces of x of equal length, which begin at the offsets `starts`. */
function pieces(wasm: BackendWasm, x: tf.TensorInfo, shape: number[], starts: number[]): tf.TensorInfo {
  const whole = wasm.makeOutput(shape, 'float32');
  // views are taken last: makeOutput may grow the memory, which empties the views from before
  const [from, to] = [wasm.typedArrayFromHeap(x), wasm.typedArrayFromHeap(whole)];
  const length = to.length / starts.length;
  starts.forEach((start, at) => {
    to.set(from.subarray(start, start + length), at * length);
  });
  return whole;
}

/** The gradient of a gather, which the backend does not have. x [N, …], segmentIds [N] → [numSegments, …] */
function unsortedSegmentSum(
  wasm: BackendWasm,
  { x, segmentIds }: Inputs<'x' | 'segmentIds'>,
  { numSegments }: tf.UnsortedSegmentSumAttrs,
): tf.TensorInfo {
  const width = tf.util.sizeFromShape(x.shape.slice(1));
  const sums = wasm.makeOutput([numSegments, ...x.shape.slice(1)], 'float32');
  const [from, to] = [wasm.typedArrayFromHeap(x), wasm.typedArrayFromHeap(sums).fill(0)];
  wasm.typedArrayFromHeap(segmentIds).forEach((id, row) => {
    for (let at = 0; at < width; at++) (to[id * width + at] as number) += from[row * width + at] as number;
  });
  return sums;
}
