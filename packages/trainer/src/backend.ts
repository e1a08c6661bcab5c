import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { BACKENDS, type BackendName } from './config.ts';
import { UsageError } from './usage-error.ts';
import { registerWasmKernels } from './wasm-kernels.ts';

export interface Backend {
  name: BackendName;
  /** Why this one, for a person. */
  reason: string;
}

/** Loads a package that may be absent. */
type Import = (specifier: string) => Promise<unknown>;

/** The specifier is a variable so that neither compiler nor bundler asks for a package that nobody has to install. */
const importPackage: Import = (specifier) => import(specifier);

/** What nobody has to install, with the versions of package.json's peer dependencies. */
const OPTIONAL_PACKAGES = {
  'node-gpu': { '@tensorflow/tfjs-node-gpu': tf.version_core },
  node: { '@tensorflow/tfjs-node': tf.version_core },
  webgpu: { webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': tf.version_core },
} as const;
type OptionalBackend = keyof typeof OPTIONAL_PACKAGES;

/**
 * Makes a backend TensorFlow.js's current one: the one asked for, or with `auto` the fastest that is there.
 * @throws UsageError where the one asked for is not there.
 */
export async function chooseBackend(wanted: BackendName | 'auto', load: Import = importPackage): Promise<Backend> {
  tf.enableProdMode(); // keeps the cpu backend from advertising tfjs-node
  if (wanted !== 'auto') return { name: wanted, reason: told('asked for', await start(wanted, load)) };
  const misses: string[] = [];
  for (const name of BACKENDS) {
    try {
      const adapter = await start(name, load, refuseSoftware);
      return { name, reason: told(misses.length > 0 ? misses.join('; ') : 'the fastest', adapter) };
    } catch (error) {
      misses.push(error instanceof AbsentError ? `${error.specifier} is not installed` : (error as Error).message);
    }
  }
  throw new UsageError(`--backend: none works: ${misses.join('; ')}`);
}

function told(reason: string, adapter: Adapter | null): string {
  return adapter ? `${reason}; it computes on ${describe(adapter)}` : reason;
}

class AbsentError extends UsageError {
  readonly specifier: string;

  constructor(backend: OptionalBackend, specifier: string) {
    const packages = Object.entries(OPTIONAL_PACKAGES[backend]).map(([name, version]) => `${name}@${version}`);
    super(`--backend ${backend} needs a package that is not installed: npm install ${packages.join(' ')}`);
    this.specifier = specifier;
  }
}

/** Whether a WebGPU adapter will do: throws a UsageError where not. */
type Accept = (adapter: Adapter) => void;

/** Answers what a backend computes on, where it tells. */
async function start(name: BackendName, load: Import, accept: Accept = () => {}): Promise<Adapter | null> {
  if (name === 'node-gpu' || name === 'node') {
    await startNative(name, load);
    return null;
  }
  const adapter = name === 'webgpu' ? await loadWebGpu(load, accept) : null;
  if (name === 'wasm') await loadWasm(load);
  await use(name);
  return adapter;
}

async function use(registered: string): Promise<void> {
  // setBackend answers false instead of throwing where a backend does not start
  if (!(await tf.setBackend(registered))) throw new UsageError(`the ${registered} backend does not start`);
  await tf.ready();
}

async function loadOptional(backend: OptionalBackend, specifier: string, load: Import): Promise<unknown> {
  try {
    return await load(specifier);
  } catch (error) {
    if (isAbsent(error, specifier)) throw new AbsentError(backend, specifier);
    throw new UsageError(`${specifier} is installed but does not load: ${(error as Error).message}`);
  }
}

function isAbsent(error: unknown, specifier: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${specifier}'`);
}

/** What both native packages register their backend as. */
const TENSORFLOW = 'tensorflow';

async function startNative(name: 'node-gpu' | 'node', load: Import): Promise<void> {
  // tfjs-node 4.22 calls a function that Node 23 removed
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });
  // a tfjs-node-gpu that found no GPU computes as tfjs-node does
  const isLoaded = name === 'node' && tf.findBackendFactory(TENSORFLOW);
  if (!isLoaded) await loadOptional(name, `@tensorflow/tfjs-${name}`, load);
  await use(TENSORFLOW);
  // without a GPU that it can use, tfjs-node-gpu computes on the CPU and says nothing
  const { isUsingGpuDevice } = tf.backend() as tf.KernelBackend & { isUsingGpuDevice: boolean };
  if (name === 'node-gpu' && !isUsingGpuDevice) {
    throw new UsageError('the node-gpu backend finds no GPU that its TensorFlow can use');
  }
}

/** The part in use here of the package `webgpu`, which is Dawn, Chromium's WebGPU, for Node. */
interface Dawn {
  create(options: string[]): Gpu;
  globals: object;
}
interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<{ info: Adapter } | null>;
}
interface Adapter {
  vendor: string;
  /** Which GPU and which driver; may be empty. */
  description: string;
  /** Dawn says so of every adapter that Vulkan or Direct3D gives for a CPU: SwiftShader, lavapipe, WARP. */
  isFallbackAdapter: boolean;
}

function describe({ description, vendor, isFallbackAdapter }: Adapter): string {
  return `${description || vendor || 'a nameless GPU'}${isFallbackAdapter ? ', a GPU in software' : ''}`;
}

/** Shaders on the CPU are many times slower than the wasm backend. */
function refuseSoftware(adapter: Adapter): void {
  if (adapter.isFallbackAdapter)
    throw new UsageError(`webgpu has only ${describe(adapter)}, which is slower than wasm`);
}

async function loadWebGpu(load: Import, accept: Accept): Promise<Adapter> {
  const { create, globals } = (await loadOptional('webgpu', 'webgpu', load)) as Dawn;
  const host = globalThis as { navigator?: { gpu?: Gpu } };
  const gpu = host.navigator?.gpu ?? create([]); // one for all: what it made lasts only as long as it is held
  // as the backend asks for it, so that it is the same one
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new UsageError('webgpu finds no GPU with a driver for Vulkan, Metal or Direct3D 12');
  accept(adapter.info);
  // where the backend looks for a browser's
  Object.assign(globalThis, globals);
  host.navigator ??= {};
  Object.assign(host.navigator, { gpu });
  await loadOptional('webgpu', '@tensorflow/tfjs-backend-webgpu', load);
  return adapter.info;
}

let wasmLoaded = false;

async function loadWasm(load: Import): Promise<void> {
  if (wasmLoaded) return;
  await load('@tensorflow/tfjs-backend-wasm');
  registerWasmKernels();
  wasmLoaded = true;
}
