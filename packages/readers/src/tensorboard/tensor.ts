import type { BinaryReader } from '@bufbuild/protobuf/wire';
import { delimited, fixed32, fixed64, readInt64, readMessage, varint } from '../protobuf.ts';

// Field numbers of tensorflow.TensorProto and TensorShapeProto.
const TENSOR = { dtype: varint(1), shape: delimited(2), content: delimited(4) };
const FLOAT_VAL = 5;
const DOUBLE_VAL = 6;
const SHAPE = { dim: delimited(2) };
const DIM = { size: varint(1) };
const FLOAT = 1;
const DOUBLE = 2;

/** The number that a tensor of one element holds, as float32 or float64; null for every other tensor. */
export function scalarOf(tensor: Uint8Array): number | null {
  let dtype = 0;
  let elements = 1;
  let content: Uint8Array | null = null;
  const values: number[] = [];
  readMessage(tensor, (tag, reader) => {
    if (tag === TENSOR.dtype) dtype = reader.int32();
    else if (tag === TENSOR.shape) elements = elementsOf(reader.bytes());
    else if (tag === TENSOR.content) content = reader.bytes();
    else return readNumbers(tag, reader, values);
    return true;
  });
  if (elements !== 1 || values.length > 1) return null;
  return values[0] ?? (content && numberIn(content, dtype));
}

/** A repeated field of numbers, packed or not. */
function readNumbers(tag: number, reader: BinaryReader, values: number[]): boolean {
  if (tag === fixed32(FLOAT_VAL)) values.push(reader.float());
  else if (tag === fixed64(DOUBLE_VAL)) values.push(reader.double());
  else if (tag === delimited(FLOAT_VAL)) values.push(...packed(reader.bytes(), FLOAT));
  else if (tag === delimited(DOUBLE_VAL)) values.push(...packed(reader.bytes(), DOUBLE));
  else return false;
  return true;
}

/** At most the first two: a scalar has one. */
function packed(bytes: Uint8Array, dtype: number): number[] {
  const size = dtype === FLOAT ? 4 : 8;
  const count = Math.min(2, Math.floor(bytes.length / size));
  return Array.from({ length: count }, (_, at) => numberIn(bytes.subarray(at * size, (at + 1) * size), dtype) ?? 0);
}

function numberIn(content: Uint8Array, dtype: number): number | null {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (dtype === FLOAT && content.length === 4) return view.getFloat32(0, true);
  if (dtype === DOUBLE && content.length === 8) return view.getFloat64(0, true);
  return null;
}

function elementsOf(shape: Uint8Array): number {
  let elements = 1;
  readMessage(shape, (tag, reader) => {
    if (tag !== SHAPE.dim) return false;
    let size = 0;
    readMessage(reader.bytes(), (dimTag, dim) => {
      if (dimTag !== DIM.size) return false;
      size = readInt64(dim);
      return true;
    });
    elements *= size;
    return true;
  });
  return elements;
}
