import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '@evenkeel/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

// A server starts where the trainer's packages are not installed: processes in which their import fails.

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

/** The npm packages that these workspace folders name as theirs. */
function packagesOf(kinds: readonly string[], ...folders: string[]): string[] {
  const names = folders.flatMap((name) => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../..', name, 'package.json'), 'utf8'));
    return kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
  });
  return names.filter((name) => !name.startsWith('@evenkeel/'));
}

const ofServer = packagesOf(
  ['dependencies'],
  ...['apps/cli', 'apps/dashboard', 'packages/emit', 'packages/recordings', 'packages/readers'],
);
const ofTraining = packagesOf(
  ['dependencies', 'peerDependencies'],
  ...['packages/trainer', 'packages/study', 'packages/wasm-kernels'],
);
const onlyOfTraining = ofTraining.filter((name) => !ofServer.includes(name));

/** The environment of a process in which these packages are not installed. */
function without(packages: readonly string[]): Record<string, string> {
  const resolve = `
    const absent = ${JSON.stringify(packages)};
    export async function resolve(specifier, context, next) {
      const name = absent.find((name) => specifier === name || specifier.startsWith(name + '/'));
      if (name === undefined) return next(specifier, context);
      throw Object.assign(new Error("Cannot find package '" + name + "'"), { code: 'ERR_MODULE_NOT_FOUND' });
    }`;
  const hook = join(folder.path, `without-${packages.length}.mjs`);
  const url = `data:text/javascript,${encodeURIComponent(resolve)}`;
  writeFileSync(hook, `import { register } from 'node:module';\nregister(${JSON.stringify(url)});\n`);
  return { NODE_OPTIONS: `--import ${pathToFileURL(hook)}` };
}

test('TensorFlow.js, Vega and the tokenizer are packages of training alone', () => {
  expect(onlyOfTraining).toEqual(expect.arrayContaining(['@tensorflow/tfjs', 'gpt-tokenizer', 'vega', 'vega-lite']));
});

describe('without the packages of training', () => {
  const env = without(onlyOfTraining);

  test.each(['', 'demo', 'serve', 'runs', 'bench forecast'])('evenkeel %s --help', async (command) => {
    await using help = evenkeel([...command.split(' ').filter(Boolean), '--help'], env);
    expect([await help.ended, help.output()]).toEqual([0, expect.stringContaining('Usage: evenkeel')]);
  });

  test('a server starts, shows its page, and its commands work', async () => {
    await using server = await serve(folder.path, '0', env);
    expect(await (await fetch(server.url)).text()).toContain('Evenkeel');
    await using runs = evenkeel(['runs', '--server', server.url], env);
    expect([await runs.ended, runs.output()]).toEqual([0, expect.stringMatching(/^No runs/)]);
  });

  test('what trains does not start', async () => {
    await using train = evenkeel(['train', '--offline'], env);
    expect(await train.ended).toBe(1);
  });
});

test.each([
  ['train', '--offline'],
  ['train', '--offline', '--resume', 'a.safetensors'],
  ['bench', 'train', '--backend', 'wasm'],
  ['demo', '--no-open'],
])('without TensorFlow.js, evenkeel %s %s says how to install it', async (...command) => {
  await using training = evenkeel(command, without(['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm']));
  expect(await training.ended).toBe(1);
  expect(training.output()).toMatch(
    /^(error|evenkeel): this command needs packages that are not installed\. .*\n {2}npm install @tensorflow\/tfjs@[\d.]+ @tensorflow\/tfjs-backend-wasm@[\d.]+\n$/,
  );
});

test('without Vega, evenkeel study says how to install it before it reads a study', async () => {
  await using study = evenkeel(['study', 'none.yaml'], without(['vega', 'vega-lite']));
  expect(await study.ended).toBe(1);
  expect(study.output()).toMatch(/\n {2}npm install vega@[\d.]+ vega-lite@[\d.]+\n$/);
});

test('without TensorFlow.js, evenkeel train prints its help and its settings', async () => {
  await using settings = evenkeel(['train', '--dry-run'], without(['@tensorflow/tfjs']));
  expect([await settings.ended, settings.output()]).toEqual([0, expect.stringContaining('attention: mha')]);
  await using help = evenkeel(['help', 'train'], without(['@tensorflow/tfjs']));
  expect([await help.ended, help.output()]).toEqual([0, expect.stringContaining('--optimizer')]);
});
