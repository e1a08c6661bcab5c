import {
  MAX_ATTEMPT,
  MAX_BATCH_STEPS,
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  MAX_NAME_LENGTH,
  MAX_SCALAR_NAME_LENGTH,
  MAX_STEP,
  MAX_TIME,
  MIN_STEP,
} from './limits.ts';
import { RefusedError } from './refusal.ts';
import { type StepBatch, type StepEvent, UNNAMEABLE } from './step.ts';
import { ARRAY_FIELDS, arrayLengths, CUSTOM_BIT, SCALAR_FIELDS, STEP_FIELDS, type StepArray } from './step-fields.ts';

// The layout is specified in README.md, section "A step batch"; keep the two in step.
const MAGIC = 0x42_53_4b_45; // "EKSB" read as a little-endian u32
const HEADER_BYTES = 30;
const STEP_BYTES = 8 + 8 + 4;

/** What the versions of the binary form differ in. The newest is written; all are read. */
interface Version {
  presenceBytes: 2 | 4;
  minStep: number;
  maxNames: number;
  maxNameLength: number;
}

const VERSIONS: readonly Version[] = [
  { presenceBytes: 2, minStep: 0, maxNames: 256, maxNameLength: MAX_NAME_LENGTH },
  { presenceBytes: 4, minStep: MIN_STEP, maxNames: MAX_CUSTOM_SCALARS, maxNameLength: MAX_SCALAR_NAME_LENGTH },
];
/** The version of a batch that {@link encodeSteps} writes. */
const NEWEST = VERSIONS.length;

const KNOWN_BITS = STEP_FIELDS.reduce((mask, { bit }) => mask | (1 << bit), 1 << CUSTOM_BIT);

/**
 * Writes a batch as one binary frame of the newest version.
 * The batch must satisfy the `stepBatch` schema; arrays are rounded to float32, all else is exact.
 * @throws RefusedError where it has more than {@link MAX_CUSTOM_SCALARS} distinct custom scalars.
 */
export function encodeSteps(batch: StepBatch): Uint8Array<ArrayBuffer> {
  const names = customNames(batch.steps);
  const writer = new Writer(frameBytes(batch.steps, names));
  writer.u32(MAGIC);
  writer.u16(NEWEST);
  writer.u16(batch.steps.length);
  writer.uuid(batch.run);
  writer.u32(batch.attempt);
  writer.u16(names.size);
  for (const { utf8 } of names.values()) writer.name(utf8);
  for (const step of batch.steps) writeStep(writer, step, names);
  return writer.bytes;
}

/**
 * Reads a frame that {@link encodeSteps} wrote, or one of a former version.
 * @throws RefusedError naming the field that is wrong; a frame is read whole or not at all.
 */
export function decodeSteps(frame: Uint8Array): StepBatch {
  const reader = new Reader(frame);
  if (reader.u32('magic') !== MAGIC) throw new RefusedError('magic', 'not a step batch');
  const number = reader.u16('version');
  const version = VERSIONS[number - 1];
  if (!version) {
    throw new RefusedError('version', `batch of codec version ${number}, this side reads 1 to ${NEWEST}`);
  }
  const count = inRange(reader.u16('count'), 1, MAX_BATCH_STEPS, 'count');
  const run = reader.uuid('run');
  const attempt = inRange(reader.u32('attempt'), 1, MAX_ATTEMPT, 'attempt');
  const names = readNames(reader, version);
  const steps: StepEvent[] = [];
  for (let at = 0; at < count; at++) {
    reader.step = at;
    steps.push(readStep(reader, version, names));
  }
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
  let bytes = STEP_BYTES;
  for (const { name } of SCALAR_FIELDS) if (step[name] != null) bytes += 8;
  for (const { name } of ARRAY_FIELDS) bytes += step[name] ? 2 + 4 * step[name].length : 0;
  if (step.custom) bytes += 2 + 10 * countKeys(step.custom);
  return bytes;
}

function countKeys(custom: Record<string, number>): number {
  let keys = 0;
  for (const _ in custom) keys++;
  return keys;
}

function presence(step: StepEvent): number {
  let mask = 0;
  for (const { name, bit } of STEP_FIELDS) if (step[name] != null) mask |= 1 << bit;
  return step.custom ? mask | (1 << CUSTOM_BIT) : mask;
}

function writeStep(writer: Writer, step: StepEvent, names: CustomNames): void {
  writer.f64(step.step);
  writer.f64(step.time);
  writer.u32(presence(step));
  for (const { name } of SCALAR_FIELDS) {
    const value = step[name];
    if (value != null) writer.f64(value);
  }
  for (const { name } of ARRAY_FIELDS) {
    const values = step[name];
    if (!values) continue;
    writer.u16(values.length);
    for (const value of values) writer.f32(value);
  }
  if (step.custom) writeCustom(writer, step.custom, names);
}

function writeCustom(writer: Writer, custom: Record<string, number>, names: CustomNames): void {
  writer.u16(countKeys(custom));
  for (const name in custom) {
    const known = names.get(name);
    const value = custom[name];
    if (!known || value === undefined) throw new Error(`the custom scalar ${name} changed while it was written`);
    writer.u16(known.index);
    writer.f64(value);
  }
}

function readNames(reader: Reader, { maxNames, maxNameLength }: Version): string[] {
  const count = inRange(reader.u16('custom'), 0, maxNames, 'custom');
  const names = Array.from({ length: count }, (_, at) => reader.name(`custom[${at}]`, maxNameLength));
  if (new Set(names).size !== count) throw new RefusedError('custom', 'the same name stands twice');
  return names;
}

function readStep(reader: Reader, { presenceBytes, minStep }: Version, names: readonly string[]): StepEvent {
  const step: StepEvent = {
    step: reader.integer('step', minStep, MAX_STEP),
    time: reader.between('time', 0, MAX_TIME),
  };
  const mask = presenceBytes === 2 ? reader.u16('presence') : reader.u32('presence');
  if (mask & ~KNOWN_BITS) throw reader.refusal('presence', 'unknown bits are set');
  for (const { name, bit, kind } of SCALAR_FIELDS) {
    if (!(mask & (1 << bit))) continue;
    step[name] = kind === 'count' ? reader.integer(name, 0, Number.MAX_SAFE_INTEGER) : reader.f64(name);
  }
  for (const { name, bit } of ARRAY_FIELDS) if (mask & (1 << bit)) step[name] = readArray(reader, name);
  if (mask & (1 << CUSTOM_BIT)) step.custom = readCustom(reader, names);
  return step;
}

function readArray(reader: Reader, name: StepArray): number[] {
  const [min, max] = arrayLengths(name, MAX_LAYERS);
  const length = inRange(reader.u16(name), min, max, reader.path(name));
  const values = new Array<number>(length);
  for (let at = 0; at < length; at++) values[at] = reader.f32(name);
  return values;
}

function readCustom(reader: Reader, names: readonly string[]): Record<string, number> {
  const count = inRange(reader.u16('custom'), 0, names.length, reader.path('custom'));
  const custom: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const name = names[reader.u16('custom')];
    if (name === undefined) throw reader.refusal('custom', 'refers to a name that the batch does not list');
    custom[name] = reader.f64('custom');
  }
  return custom;
}

function inRange(value: number, min: number, max: number, field: string): number {
  if (value >= min && value <= max) return value;
  throw new RefusedError(
    field,
    min === max ? `must be ${min}, not ${value}` : `must be ${min} to ${max}, not ${value}`,
  );
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
  /** The index of the step that is being read; null before the first. Paths of fields are put together only when one is wrong. */
  step: number | null = null;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  path(field: string): string {
    return this.step === null ? field : `steps[${this.step}].${field}`;
  }

  refusal(field: string, problem: string): RefusedError {
    return new RefusedError(this.path(field), problem);
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

  between(field: string, min: number, max: number): number {
    const value = this.f64(field);
    return value >= min && value <= max ? value : inRange(value, min, max, this.path(field));
  }

  integer(field: string, min: number, max: number): number {
    const value = this.f64(field);
    if (!Number.isInteger(value)) throw this.refusal(field, `must be a whole number, not ${value}`);
    return value >= min && value <= max ? value : inRange(value, min, max, this.path(field));
  }

  uuid(field: string): string {
    const start = this.take(16, field);
    const hex = Array.from(this.bytes.subarray(start, start + 16), (byte) => byte.toString(16).padStart(2, '0'));
    return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  name(field: string, maxLength: number): string {
    const length = this.u16(field);
    const start = this.take(length, field);
    const name = decodeUtf8(this.bytes.subarray(start, start + length), field);
    if (name.includes('\0')) throw new RefusedError(field, 'contains a NUL character');
    if (name === UNNAMEABLE) throw new RefusedError(field, `"${UNNAMEABLE}" cannot be a name`);
    inRange([...name].length, 1, maxLength, `${field}.length`); // in code points, as the schemas count
    return name;
  }

  /** @throws RefusedError where bytes follow the last step. */
  end(): void {
    const left = this.bytes.byteLength - this.at;
    if (left > 0) throw new RefusedError('', `${left} bytes too many`);
  }

  private take(size: number, field: string): number {
    const start = this.at;
    if (start + size > this.bytes.byteLength) throw this.refusal(field, 'the frame ends too early');
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
