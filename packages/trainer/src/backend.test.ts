import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';

/** Loads what is really installed, but no native backend. */
const withoutNative = async (specifier: string) => {
  if (!specifier.includes('tfjs-node')) return import(specifier);
  throw Object.assign(new Error(`Cannot find package '${specifier}' imported from here`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
};

const failing = (message: string, code?: string) => async (specifier: string) => {
  if (specifier === '@tensorflow/tfjs-node') throw Object.assign(new Error(message), { code });
  return withoutNative(specifier);
};

test('auto takes wasm where no native backend is installed, and says so', async () => {
  const { name, reason } = await chooseBackend('auto', withoutNative);
  expect(name).toBe('wasm');
  expect(reason).toBe('@tensorflow/tfjs-node-gpu is not installed; @tensorflow/tfjs-node is not installed');
  expect(tf.getBackend()).toBe('wasm');
});

test('a backend that is asked for is taken', async () => {
  expect(await chooseBackend('cpu')).toEqual({ name: 'cpu', reason: 'asked for' });
  expect(tf.getBackend()).toBe('cpu');
});

test.each(['node', 'node-gpu'] as const)(
  '%s that is not installed comes with the command that installs it',
  async (name) => {
    await expect(chooseBackend(name, withoutNative)).rejects.toThrow(
      `--backend ${name} needs a package that is not installed: npm install @tensorflow/tfjs-${name}@4.22.0`,
    );
  },
);

test('a native backend that is installed but broken is told apart from one that is absent', async () => {
  const broken = failing("Cannot find module '../lib/napi-v8/tfjs_binding.node'", 'MODULE_NOT_FOUND');
  await expect(chooseBackend('node', broken)).rejects.toThrow(
    '@tensorflow/tfjs-node is installed but does not load: Cannot',
  );
  const { name, reason } = await chooseBackend('auto', broken);
  expect(name).toBe('wasm');
  expect(reason).toContain('@tensorflow/tfjs-node is installed but does not load');
});

test('wasm sums segments as the cpu backend does', async () => {
  const sums = async (backend: 'wasm' | 'cpu') => {
    await chooseBackend(backend);
    return tf.tidy(() =>
      tf.unsortedSegmentSum(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]), tf.tensor1d([2, 0, 2], 'int32'), 4).arraySync(),
    );
  };
  expect(await sums('wasm')).toEqual([
    [3, 4],
    [0, 0],
    [6, 8],
    [0, 0],
  ]);
  expect(await sums('cpu')).toEqual([
    [3, 4],
    [0, 0],
    [6, 8],
    [0, 0],
  ]);
});
