import {
  MAX_ATTEMPT,
  MAX_BATCH_STEPS,
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  MAX_NAME_LENGTH,
  MAX_STEP,
  MAX_TIME,
} from './limits.ts';
import { RefusedError } from './refusal.ts';
import {
  STEP_ARRAYS,
  STEP_SCALARS,
  type StepArray,
  type StepBatch,
  type StepEvent,
  TEV_QUANTILE_COUNT,
  UNNAMEABLE,
} from './step.ts';

// The layout is specified in README.md, section "A step batch"; keep the two in step.
const MAGIC = 0x42_53_4b_45; // "EKSB" read as a little-endian u32
const CODEC_VERSION = 1;
const HEADER_BYTES = 30;
const CUSTOM_BIT = STEP_SCALARS.length + STEP_ARRAYS.length;
const KNOWN_BITS = (1 << (CUSTOM_BIT + 1)) - 1;

/**
 * Writes a batch as one binary frame.
 * The batch must satisfy the `stepBatch` schema; arrays are rounded to float32, all else is exact.
 */
export function encodeSteps(batch: StepBatch): Uint8Array<ArrayBuffer> {
  const names = customNames(batch.steps);
  const writer = new Writer(frameBytes(batch.steps, names));
  writer.u32(MAGIC);
  writer.u16(CODEC_VERSION);
  writer.u16(batch.steps.length);
  writer.uuid(batch.run);
  writer.u32(batch.attempt);
  writer.u16(names.size);
  for (const bytes of names.values()) writer.name(bytes.utf8);
  for (const step of batch.steps) writeStep(writer, step, names);
  return writer.bytes;
}

/**
 * Reads a frame written by {@link encodeSteps}.
 * @throws RefusedError naming the field that is wrong; a frame is read whole or not at all.
 */
export function decodeSteps(frame: Uint8Array): StepBatch {
  const reader = new Reader(frame);
  if (reader.u32('magic') !== MAGIC) throw new RefusedError('magic', 'not a step batch');
  const version = reader.u16('version');
  if (version !== CODEC_VERSION) {
    throw new RefusedError('version', `batch of codec version ${version}, this side reads ${CODEC_VERSION}`);
  }
  const count = within(reader.u16('count'), 1, MAX_BATCH_STEPS, 'count');
  const run = reader.uuid('run');
  const attempt = within(reader.u32('attempt'), 1, MAX_ATTEMPT, 'attempt');
  const names = readNames(reader);
  const steps = Array.from({ length: count }, (_, at) => readStep(reader, names, `steps[${at}]`));
  reader.end();
  return { run, attempt, steps };
}

type CustomNames = Map<string, { index: number; utf8: Uint8Array }>;

function customNames(steps: readonly StepEvent[]): CustomNames {
  const names: CustomNames = new Map();
  const encoder = new TextEncoder();
  for (const { custom } of steps) {
    for (const name in custom) {
      if (!names.has(name)) names.set(name, { index: names.size, utf8: encoder.encode(name) });
    }
  }
  if (names.size > MAX_CUSTOM_SCALARS) {
    throw new RefusedError('steps', `more than ${MAX_CUSTOM_SCALARS} custom scalars in one batch`);
  }
  return names;
}

function frameBytes(steps: readonly StepEvent[], names: CustomNames): number {
  let bytes = HEADER_BYTES;
  for (const { utf8 } of names.values()) bytes += 2 + utf8.length;
  for (const step of steps) bytes += stepBytes(step);
  return bytes;
}

function stepBytes(step: StepEvent): number {
  let bytes = 8 + 8 + 2;
  for (const name of STEP_SCALARS) if (step[name] != null) bytes += 8;
  for (const name of STEP_ARRAYS) bytes += step[name] ? 2 + 4 * step[name].length : 0;
  if (step.custom) bytes += 2 + 10 * Object.keys(step.custom).length;
  return bytes;
}

function presence(step: StepEvent): number {
  let mask = 0;
  STEP_SCALARS.forEach((name, bit) => {
    if (step[name] != null) mask |= 1 << bit;
  });
  STEP_ARRAYS.forEach((name, at) => {
    if (step[name]) mask |= 1 << (STEP_SCALARS.length + at);
  });
  return step.custom ? mask | (1 << CUSTOM_BIT) : mask;
}

function writeStep(writer: Writer, step: StepEvent, names: CustomNames): void {
  writer.f64(step.step);
  writer.f64(step.time);
  writer.u16(presence(step));
  for (const name of STEP_SCALARS) {
    const value = step[name];
    if (value != null) writer.f64(value);
  }
  for (const name of STEP_ARRAYS) {
    const values = step[name];
    if (!values) continue;
    writer.u16(values.length);
    for (const value of values) writer.f32(value);
  }
  if (!step.custom) return;
  const scalars = Object.entries(step.custom);
  writer.u16(scalars.length);
  for (const [name, value] of scalars) {
    writer.u16(names.get(name)?.index ?? 0);
    writer.f64(value);
  }
}

function readNames(reader: Reader): string[] {
  const count = within(reader.u16('custom'), 0, MAX_CUSTOM_SCALARS, 'custom');
  const names = Array.from({ length: count }, (_, at) => reader.name(`custom[${at}]`));
  if (new Set(names).size !== count) throw new RefusedError('custom', 'the same name stands twice');
  return names;
}

function readStep(reader: Reader, names: readonly string[], field: string): StepEvent {
  const step: StepEvent = {
    step: integer(reader.f64(`${field}.step`), MAX_STEP, `${field}.step`),
    time: within(reader.f64(`${field}.time`), 0, MAX_TIME, `${field}.time`),
  };
  const mask = reader.u16(`${field}.presence`);
  if (mask & ~KNOWN_BITS) throw new RefusedError(`${field}.presence`, 'unknown bits are set');
  STEP_SCALARS.forEach((name, bit) => {
    if (mask & (1 << bit)) step[name] = reader.f64(`${field}.${name}`);
  });
  if (step.tokens != null) integer(step.tokens, Number.MAX_SAFE_INTEGER, `${field}.tokens`);
  STEP_ARRAYS.forEach((name, at) => {
    if (mask & (1 << (STEP_SCALARS.length + at))) step[name] = readArray(reader, name, `${field}.${name}`);
  });
  if (mask & (1 << CUSTOM_BIT)) step.custom = readCustom(reader, names, `${field}.custom`);
  return step;
}

function readArray(reader: Reader, name: StepArray, field: string): number[] {
  const [min, max] = name === 'tevQuantiles' ? [TEV_QUANTILE_COUNT, TEV_QUANTILE_COUNT] : [0, MAX_LAYERS];
  const length = within(reader.u16(field), min, max, field);
  return Array.from({ length }, () => reader.f32(field));
}

function readCustom(reader: Reader, names: readonly string[], field: string): Record<string, number> {
  const count = within(reader.u16(field), 0, names.length, field);
  const entries = Array.from({ length: count }, (): [string, number] => {
    const name = names[reader.u16(field)];
    if (name === undefined) throw new RefusedError(field, 'refers to a name that the batch does not list');
    return [name, reader.f64(field)];
  });
  return Object.fromEntries(entries);
}

function within(value: number, min: number, max: number, field: string): number {
  if (value >= min && value <= max) return value;
  throw new RefusedError(
    field,
    min === max ? `must be ${min}, not ${value}` : `must be ${min} to ${max}, not ${value}`,
  );
}

function integer(value: number, max: number, field: string): number {
  if (!Number.isInteger(value)) throw new RefusedError(field, `must be a whole number, not ${value}`);
  return within(value, 0, max, field);
}

class Writer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly view: DataView;
  private at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  u16(value: number): void {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  f32(value: number): void {
    this.view.setFloat32(this.at, value, true);
    this.at += 4;
  }

  f64(value: number): void {
    this.view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  name(utf8: Uint8Array): void {
    this.u16(utf8.length);
    this.bytes.set(utf8, this.at);
    this.at += utf8.length;
  }

  uuid(text: string): void {
    const hex = text.replaceAll('-', '');
    for (let at = 0; at < 32; at += 2) this.bytes[this.at++] = Number.parseInt(hex.slice(at, at + 2), 16);
  }
}

class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(field: string): number {
    return this.view.getUint16(this.take(2, field), true);
  }

  u32(field: string): number {
    return this.view.getUint32(this.take(4, field), true);
  }

  f32(field: string): number {
    return this.view.getFloat32(this.take(4, field), true);
  }

  f64(field: string): number {
    return this.view.getFloat64(this.take(8, field), true);
  }

  uuid(field: string): string {
    const start = this.take(16, field);
    const hex = Array.from(this.bytes.subarray(start, start + 16), (byte) => byte.toString(16).padStart(2, '0'));
    return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  name(field: string): string {
    const length = this.u16(field);
    const start = this.take(length, field);
    const name = decodeUtf8(this.bytes.subarray(start, start + length), field);
    if (name.includes('\0')) throw new RefusedError(field, 'contains a NUL character');
    if (name === UNNAMEABLE) throw new RefusedError(field, `"${UNNAMEABLE}" cannot be a name`);
    within([...name].length, 1, MAX_NAME_LENGTH, `${field}.length`); // in code points, as the schemas count
    return name;
  }

  /** @throws RefusedError where bytes are left over. */
  end(): void {
    const left = this.bytes.byteLength - this.at;
    if (left > 0) throw new RefusedError('', `${left} bytes too many`);
  }

  private take(size: number, field: string): number {
    const start = this.at;
    if (start + size > this.bytes.byteLength) throw new RefusedError(field, 'the frame ends too early');
    this.at = start + size;
    return start;
  }
}

function decodeUtf8(bytes: Uint8Array, field: string): string {
  try {
    // "ignoreBOM" is the platform's word for keeping a byte order mark.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RefusedError(field, 'not UTF-8');
  }
}
