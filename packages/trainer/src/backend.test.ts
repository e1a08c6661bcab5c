import * as tf from '@tensorflow/tfjs';
import { afterEach, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { chooseBackend } from './backend.ts';

/** Fakes for peer dependencies; those that the tests do not install are absent, all else is loaded for real. */
const withPackages = (packages: Record<string, () => unknown>) => async (specifier: string) => {
  const load = packages[specifier];
  if (load) return load();
  const isInstalled = specifier in manifest.devDependencies || !(specifier in manifest.peerDependencies);
  if (isInstalled) return import(specifier);
  throw Object.assign(new Error(`Cannot find package '${specifier}' imported from here`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
};
const bare = withPackages({});

const failing = (message: string, code?: string) => () => {
  throw Object.assign(new Error(message), { code });
};

/** What a native package does when it is loaded: it registers its backend, here with the kernels of `cpu`. */
const native = (isUsingGpuDevice: boolean) => () =>
  tf.registerBackend('tensorflow', () => Object.assign(cpuBackend(), { isUsingGpuDevice }));

const cpuBackend = () => tf.findBackendFactory('cpu')() as tf.KernelBackend;

/** The package `webgpu`, on a machine with this adapter or with none. */
const dawn = (info: { description: string; isFallbackAdapter: boolean } | null) => () => ({
  create: () => ({ requestAdapter: async () => info && { info } }),
  globals: {},
});
const GPU = { description: 'NVIDIA H100', isFallbackAdapter: false };
const SWIFTSHADER = { description: 'SwiftShader driver 5.0.0', isFallbackAdapter: true };

const host = globalThis as { navigator?: { gpu?: object } };

/** The package `@tensorflow/tfjs-backend-webgpu`: it registers its backend where it sees WebGPU. */
const webGpuBackend = () => host.navigator?.gpu && tf.registerBackend('webgpu', cpuBackend);

afterEach(() => {
  for (const name of ['tensorflow', 'webgpu']) if (tf.findBackendFactory(name)) tf.removeBackend(name);
  delete host.navigator?.gpu;
});

test('auto takes wasm where no optional package is installed, and says so', async () => {
  const { name, reason } = await chooseBackend('auto', bare);
  expect(name).toBe('wasm');
  expect(reason).toBe(
    '@tensorflow/tfjs-node-gpu is not installed; @tensorflow/tfjs-node is not installed; webgpu is not installed',
  );
  expect(tf.getBackend()).toBe('wasm');
});

test('a backend that is asked for is taken', async () => {
  expect(await chooseBackend('cpu')).toEqual({ name: 'cpu', reason: 'asked for' });
  expect(tf.getBackend()).toBe('cpu');
});

const peers = (...names: (keyof typeof manifest.peerDependencies)[]) =>
  names.map((name) => `${name}@${manifest.peerDependencies[name]}`).join(' ');

test.each([
  ['node', peers('@tensorflow/tfjs-node'), bare],
  ['node-gpu', peers('@tensorflow/tfjs-node-gpu'), bare],
  ['webgpu', peers('webgpu', '@tensorflow/tfjs-backend-webgpu'), bare],
  ['webgpu', peers('webgpu', '@tensorflow/tfjs-backend-webgpu'), withPackages({ webgpu: dawn(GPU) })],
] as const)('%s that is not installed comes with the command that installs it: %s', async (name, packages, load) => {
  await expect(chooseBackend(name, load)).rejects.toThrow(
    `--backend ${name} needs a package that is not installed: npm install ${packages}`,
  );
});

test('auto takes cpu where the package of the wasm backend is not installed, and wasm says how to install it', async () => {
  const absent = failing("Cannot find package '@tensorflow/tfjs-backend-wasm'", 'ERR_MODULE_NOT_FOUND');
  const load = withPackages({ '@tensorflow/tfjs-backend-wasm': absent });
  expect((await chooseBackend('auto', load)).name).toBe('cpu');
  await expect(chooseBackend('wasm', load)).rejects.toThrow(`npm install ${peers('@tensorflow/tfjs-backend-wasm')}`);
});

test('a native backend that is installed but broken is distinguished from one that is absent', async () => {
  const broken = withPackages({
    '@tensorflow/tfjs-node': failing("Cannot find module '../lib/napi-v8/tfjs_binding.node'", 'MODULE_NOT_FOUND'),
  });
  await expect(chooseBackend('node', broken)).rejects.toThrow(
    '@tensorflow/tfjs-node is installed but does not load: Cannot',
  );
  const { name, reason } = await chooseBackend('auto', broken);
  expect(name).toBe('wasm');
  expect(reason).toContain('@tensorflow/tfjs-node is installed but does not load');
});

test('auto takes tfjs-node-gpu where it uses a GPU', async () => {
  const load = withPackages({ '@tensorflow/tfjs-node-gpu': native(true) });
  expect(await chooseBackend('auto', load)).toEqual({ name: 'node-gpu', reason: 'the fastest' });
});

test('tfjs-node-gpu without a GPU is not taken for node-gpu', async () => {
  const load = withPackages({ '@tensorflow/tfjs-node-gpu': native(false) });
  const miss = 'the node-gpu backend finds no GPU that its TensorFlow can use';
  await expect(chooseBackend('node-gpu', load)).rejects.toThrow(miss);
  expect(await chooseBackend('auto', load)).toEqual({ name: 'node', reason: miss });
});

test('auto takes webgpu where it has a GPU, and names it', async () => {
  const load = withPackages({ webgpu: dawn(GPU), '@tensorflow/tfjs-backend-webgpu': webGpuBackend });
  const { name, reason } = await chooseBackend('auto', load);
  expect(name).toBe('webgpu');
  expect(reason).toMatch(/tfjs-node is not installed; it computes on NVIDIA H100$/);
  expect(tf.getBackend()).toBe('webgpu');
});

test('auto passes over a GPU in software, and says so', async () => {
  const load = withPackages({ webgpu: dawn(SWIFTSHADER), '@tensorflow/tfjs-backend-webgpu': webGpuBackend });
  const { name, reason } = await chooseBackend('auto', load);
  expect(name).toBe('wasm');
  expect(reason).toContain('webgpu has only SwiftShader driver 5.0.0, a GPU in software, which is slower than wasm');
  expect(host.navigator?.gpu).toBeUndefined();
});

test('a GPU in software is taken where webgpu is asked for', async () => {
  const load = withPackages({ webgpu: dawn(SWIFTSHADER), '@tensorflow/tfjs-backend-webgpu': webGpuBackend });
  expect(await chooseBackend('webgpu', load)).toEqual({
    name: 'webgpu',
    reason: 'asked for; it computes on SwiftShader driver 5.0.0, a GPU in software',
  });
});

test('webgpu on a machine without a GPU says so', async () => {
  const load = withPackages({ webgpu: dawn(null) });
  await expect(chooseBackend('webgpu', load)).rejects.toThrow('webgpu finds no GPU with a driver for Vulkan');
  expect((await chooseBackend('auto', load)).name).toBe('wasm');
});
