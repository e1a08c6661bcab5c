import util from 'node:util';
import { registerWasmKernels } from '@evenkeel/wasm-kernels';
import * as tf from '@tensorflow/tfjs';
import { BACKENDS, type BackendName } from './config.ts';
import { isAbsent } from './optional-packages.ts';
import { UsageError } from './usage-error.ts';

export interface Backend {
  name: BackendName;
  /** Why this backend, in words for people. */
  reason: string;
}

/** Loads a package that may be absent. */
type Import = (specifier: string) => Promise<unknown>;

/** The specifier is a variable, so that neither compiler nor bundler requires packages that may be absent. */
const importPackage: Import = (specifier) => import(specifier);

/** Packages that may be absent, with the versions of the peer dependencies in package.json. */
const OPTIONAL_PACKAGES = {
  'node-gpu': { '@tensorflow/tfjs-node-gpu': tf.version_core },
  node: { '@tensorflow/tfjs-node': tf.version_core },
  webgpu: { webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': tf.version_core },
  wasm: { '@tensorflow/tfjs-backend-wasm': tf.version_core },
} as const;
type OptionalBackend = keyof typeof OPTIONAL_PACKAGES;

/**
 * Makes a backend the current one of TensorFlow.js: the one asked for, or with `auto` the fastest that works.
 * @throws UsageError where it does not work.
 */
export async function chooseBackend(wanted: BackendName | 'auto', load: Import = importPackage): Promise<Backend> {
  tf.enableProdMode(); // keeps the cpu backend from printing an advertisement
  if (wanted !== 'auto') return { name: wanted, reason: withAdapter('asked for', await start(wanted, load)) };
  const misses: string[] = [];
  for (const name of BACKENDS) {
    try {
      const adapter = await start(name, load, refuseSoftware);
      return { name, reason: withAdapter(misses.length > 0 ? misses.join('; ') : 'the fastest', adapter) };
    } catch (error) {
      misses.push(error instanceof AbsentError ? `${error.specifier} is not installed` : (error as Error).message);
    }
  }
  throw new UsageError(`--backend: none works: ${misses.join('; ')}`);
}

function withAdapter(reason: string, adapter: Adapter | null): string {
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

/** Throws a UsageError where a WebGPU adapter is not good enough. */
type Accept = (adapter: Adapter) => void;

/** Starts a backend; resolves to the adapter of `webgpu`, null for the others. */
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
  // setBackend returns false instead of throwing where a backend does not start
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

/** The name under which both native packages register their backend. */
const TENSORFLOW = 'tensorflow';

async function startNative(name: 'node-gpu' | 'node', load: Import): Promise<void> {
  // tfjs-node 4.22 calls a function that Node 23 removed
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });
  // tfjs-node-gpu without a GPU computes like tfjs-node
  const isLoaded = name === 'node' && tf.findBackendFactory(TENSORFLOW);
  if (!isLoaded) await loadOptional(name, `@tensorflow/tfjs-${name}`, load);
  await use(TENSORFLOW);
  // without a usable GPU, tfjs-node-gpu computes on the CPU without a warning
  const { isUsingGpuDevice } = tf.backend() as tf.KernelBackend & { isUsingGpuDevice: boolean };
  if (name === 'node-gpu' && !isUsingGpuDevice) {
    throw new UsageError('the node-gpu backend finds no GPU that its TensorFlow can use');
  }
}

/** The part in use here of the package `webgpu`: Dawn, Chromium's WebGPU, for Node. */
interface Dawn {
  create(options: string[]): Gpu;
  globals: object;
}
interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<{ info: Adapter } | null>;
}
interface Adapter {
  vendor: string;
  /** The GPU and its driver; may be empty. */
  description: string;
  /** True of every adapter that runs on the CPU: SwiftShader, lavapipe, WARP. */
  isFallbackAdapter: boolean;
}

function describe({ description, vendor, isFallbackAdapter }: Adapter): string {
  return `${description || vendor || 'an unnamed GPU'}${isFallbackAdapter ? ', a GPU in software' : ''}`;
}

/** Shaders on the CPU are many times slower than the wasm backend. */
function refuseSoftware(adapter: Adapter): void {
  if (adapter.isFallbackAdapter)
    throw new UsageError(`webgpu has only ${describe(adapter)}, which is slower than wasm`);
}

async function loadWebGpu(load: Import, accept: Accept): Promise<Adapter> {
  const { create, globals } = (await loadOptional('webgpu', 'webgpu', load)) as Dawn;
  const host = globalThis as { navigator?: { gpu?: Gpu } };
  const gpu = host.navigator?.gpu ?? create([]); // shared, since its adapters live only as long as it is referenced
  // with the backend's own options, so that it gets the same adapter
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new UsageError('webgpu finds no GPU with a driver for Vulkan, Metal or Direct3D 12');
  accept(adapter.info);
  // the backend looks for a browser's globals
  Object.assign(globalThis, globals);
  host.navigator ??= {};
  Object.assign(host.navigator, { gpu });
  await loadOptional('webgpu', '@tensorflow/tfjs-backend-webgpu', load);
  return adapter.info;
}

let kernelsRegistered = false;

async function loadWasm(load: Import): Promise<void> {
  await loadOptional('wasm', '@tensorflow/tfjs-backend-wasm', load);
  if (!kernelsRegistered) registerWasmKernels();
  kernelsRegistered = true;
}
