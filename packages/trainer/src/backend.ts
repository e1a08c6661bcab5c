import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { BACKENDS, type BackendName } from './config.ts';
import { UsageError } from './usage-error.ts';

export interface Backend {
  name: BackendName;
  /** Why this one, for a person. */
  reason: string;
}

/** Loads a package that may be absent. */
type Import = (specifier: string) => Promise<unknown>;

/** The specifier is a variable so that neither compiler nor bundler asks for a package that nobody has to install. */
const importPackage: Import = (specifier) => import(specifier);

const NATIVE = { 'node-gpu': '@tensorflow/tfjs-node-gpu', node: '@tensorflow/tfjs-node' } as const;

/**
 * Makes a backend TensorFlow.js's current one: the one asked for, or with `auto` the fastest that is there.
 * @throws UsageError where the one asked for is not there.
 */
export async function chooseBackend(wanted: BackendName | 'auto', load: Import = importPackage): Promise<Backend> {
  tf.enableProdMode(); // keeps the cpu backend from advertising tfjs-node
  if (wanted !== 'auto') {
    await start(wanted, load);
    return { name: wanted, reason: 'asked for' };
  }
  const misses: string[] = [];
  for (const name of BACKENDS) {
    const miss = await start(name, load).then(
      () => null,
      (error) => error as Error,
    );
    if (!miss) return { name, reason: misses.length > 0 ? misses.join('; ') : 'the fastest' };
    misses.push(miss instanceof AbsentError ? `${NATIVE[miss.backend]} is not installed` : miss.message);
  }
  throw new UsageError(`--backend: none works: ${misses.join('; ')}`);
}

class AbsentError extends UsageError {
  readonly backend: keyof typeof NATIVE;

  constructor(backend: keyof typeof NATIVE) {
    super(
      `--backend ${backend} needs a package that is not installed: npm install ${NATIVE[backend]}@${tf.version_core}`,
    );
    this.backend = backend;
  }
}

async function start(name: BackendName, load: Import): Promise<void> {
  if (name === 'node-gpu' || name === 'node') await loadNative(name, load);
  if (name === 'wasm') await loadWasm(load);
  // setBackend answers false instead of throwing where a backend does not start
  const started = await tf.setBackend(name === 'wasm' || name === 'cpu' ? name : 'tensorflow');
  if (!started) throw new UsageError(`the ${name} backend does not start`);
  await tf.ready();
}

async function loadNative(name: keyof typeof NATIVE, load: Import): Promise<void> {
  // tfjs-node 4.22 calls a function that Node 23 removed
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });
  try {
    await load(NATIVE[name]);
  } catch (error) {
    if (isAbsent(error, NATIVE[name])) throw new AbsentError(name);
    throw new UsageError(`${NATIVE[name]} is installed but does not load: ${(error as Error).message}`);
  }
}

function isAbsent(error: unknown, specifier: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${specifier}'`);
}

let wasmLoaded = false;

async function loadWasm(load: Import): Promise<void> {
  if (wasmLoaded) return;
  await load('@tensorflow/tfjs-backend-wasm');
  tf.registerKernel({ kernelName: tf.UnsortedSegmentSum, backendName: 'wasm', kernelFunc: unsortedSegmentSum });
  wasmLoaded = true;
}

/** The one kernel that the wasm backend lacks: the gradient of a gather. x [N, d], segmentIds [N] → [numSegments, d] */
function unsortedSegmentSum({ inputs, attrs, backend }: Parameters<tf.KernelFunc>[0]): tf.TensorInfo {
  const { x, segmentIds } = inputs as Record<keyof tf.UnsortedSegmentSumInputs, tf.TensorInfo>;
  const { numSegments } = attrs as unknown as tf.UnsortedSegmentSumAttrs;
  const wasm = backend as BackendWasm;
  const width = tf.util.sizeFromShape(x.shape.slice(1));
  const sums = wasm.makeOutput([numSegments, ...x.shape.slice(1)], 'float32');
  // the output comes first: it may grow the memory, and earlier views of it would then be empty
  const from = wasm.typedArrayFromHeap(x);
  const to = wasm.typedArrayFromHeap(sums).fill(0);
  wasm.typedArrayFromHeap(segmentIds).forEach((id, row) => {
    for (let at = 0; at < width; at++) (to[id * width + at] as number) += from[row * width + at] as number;
  });
  return sums;
}
