import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { parse, RefusedError, runId } from '@evenkeel/protocol';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { NamedVariable } from './layer.ts';
import { UsageError } from './usage-error.ts';

// A checkpoint is a safetensors file, which any framework can read: a little-endian u64 with the length of a JSON header,
// the header (type, shape and offsets of each tensor; facts of the run under "__metadata__", as strings), and the values.
// See github.com/huggingface/safetensors, section "Format".

const FORMAT = 'evenkeel-checkpoint-1';
/** Far more than our headers need: limits what is read of a file of another kind. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

const about = z.object({
  run: runId,
  attempt: z.coerce.number().int().min(1),
  /** Steps done: the number of the next step. */
  steps: z.coerce.number().int().min(0),
  /** The factor of the schedule's learning rate, which commands reduce. */
  lrFactor: z.coerce.number().positive().default(1),
  /** The fingerprint of the text, see {@link Corpus}. */
  text: z.string(),
  /** The settings of the run by the names of the flags, as JSON. */
  settings: z.preprocess((json) => parseJson(String(json)), z.record(z.string(), z.unknown())).transform(withNewNames),
});
/** The facts of the run in a checkpoint. */
export type CheckpointAbout = z.output<typeof about>;

const header = z.object({ __metadata__: z.looseObject({ format: z.literal(FORMAT) }) }).catchall(
  z.object({
    dtype: z.literal('F32'),
    shape: z.array(z.number().int().min(0)),
    data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
  }),
);

type Tensors = Map<string, { shape: number[]; values: Float32Array }>;

export interface Checkpoint {
  about: CheckpointAbout;
  tensors: Tensors;
}

/** Writes a checkpoint atomically: a process that is killed meanwhile leaves the previous one. */
export async function writeCheckpoint(
  path: string,
  { settings, ...facts }: CheckpointAbout,
  variables: readonly NamedVariable[],
): Promise<void> {
  const metadata = { format: FORMAT, ...strings(facts), settings: JSON.stringify(settings) };
  const head: Record<string, unknown> = { __metadata__: metadata };
  let at = 0;
  for (const { name, variable } of variables) {
    const bytes = 4 * variable.size;
    head[name] = { dtype: 'F32', shape: variable.shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = Buffer.from(JSON.stringify(head));
  const text = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]); // aligns the values
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeParts(temporary, Buffer.concat([length, text]), variables);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeParts(path: string, head: Uint8Array, variables: readonly NamedVariable[]): Promise<void> {
  await using file = await open(path, 'w');
  // appendFile, since write may write less than it is given, such as on a full disk
  await file.appendFile(head);
  for (const { variable } of variables) await file.appendFile(bytesOf(await variable.data<'float32'>()));
  await file.sync();
}

/**
 * Reads what {@link writeCheckpoint} wrote.
 * @throws UsageError where there is no such file, or it is not a checkpoint.
 */
export function readCheckpoint(path: string): Promise<Checkpoint> {
  return reading(path, async (file) => {
    const { about, places, start } = await readHeader(file);
    const tensors: Tensors = new Map();
    // one by one: a model's state may exceed the size limit of a buffer
    for (const [name, { shape, data_offsets }] of places) {
      const values = new Float32Array(tf.util.sizeFromShape(shape));
      const [from, to] = data_offsets;
      if (to - from !== values.byteLength) throw new RefusedError(name, 'its offsets do not match its shape');
      await readFully(file, bytesOf(values), start + from, name);
      tensors.set(name, { shape, values });
    }
    return { about, tensors };
  });
}

/** Reads only the facts of the run. */
export function readCheckpointAbout(path: string): Promise<CheckpointAbout> {
  return reading(path, async (file) => (await readHeader(file)).about);
}

async function reading<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    await using file = await open(path, 'r');
    return await read(file);
  } catch (error) {
    if (error instanceof RefusedError) {
      throw new UsageError(
        `--resume: ${path} is not a checkpoint of "evenkeel train": ${error.field}: ${error.message}`,
      );
    }
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(code === 'ENOENT' ? `--resume: there is no ${path}` : `--resume: ${message}`);
  }
}

async function readHeader(file: FileHandle) {
  const length = Buffer.alloc(8);
  await readFully(file, length, 0, 'header');
  const bytes = Number(length.readBigUInt64LE());
  if (bytes === 0 || bytes > MAX_HEADER_BYTES) throw new RefusedError('header', 'missing');
  const json = Buffer.alloc(bytes);
  await readFully(file, json, 8, 'header');
  const { __metadata__, ...places } = parse(header, parseJson(json.toString()));
  return { about: parse(about, __metadata__), places: Object.entries(places), start: 8 + bytes };
}

async function readFully(file: FileHandle, into: Uint8Array, position: number, field: string): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const { bytesRead } = await file.read(into, at, into.length - at, position + at);
    if (bytesRead === 0) throw new RefusedError(field, 'the file ends within it');
    at += bytesRead;
  }
}

/**
 * Sets variables to the values of a checkpoint.
 * @throws UsageError where the checkpoint is of another model or optimizer; no variable has changed then.
 */
export function restore({ tensors }: Checkpoint, variables: readonly NamedVariable[]): void {
  for (const { name, variable } of variables) {
    const tensor = tensors.get(name);
    if (!tensor || String(tensor.shape) !== String(variable.shape)) {
      const found = tensor ? `of shape [${tensor.shape}] instead of [${variable.shape}]` : 'missing';
      throw new UsageError(`--resume: the checkpoint is of another model or optimizer: ${name} is ${found}`);
    }
  }
  for (const { name, variable } of variables) {
    tf.tidy(() => variable.assign(tf.tensor(tensors.get(name)?.values as Float32Array, variable.shape)));
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Checkpoints from before the flag was called `--optimizer` have its value under `optimiser`. */
function withNewNames({ optimiser, ...settings }: Record<string, unknown>): Record<string, unknown> {
  return optimiser === undefined ? settings : { ...settings, optimizer: optimiser };
}

function strings(facts: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, String(value)]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RefusedError('header', 'is not JSON');
  }
}
