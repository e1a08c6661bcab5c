import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeCheckpoint } from '../checkpoint.ts';
import { resolveFlags, trainCommand } from './command.ts';
import { policyOf, type TrainFlags } from './flags.ts';
import { settingsToYaml } from './settings.ts';
import { settingsOf, settingsToKeep, toConfig } from './train-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-command-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** The flags that hold, without training. */
async function flags(...args: string[]): Promise<TrainFlags> {
  const command: Command = trainCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.action(() => {});
  await command.parseAsync(args, { from: 'user' });
  return resolveFlags(command);
}

/** The same with a file of settings. */
async function flagsWith(settings: string, ...args: string[]): Promise<TrainFlags> {
  const path = join(folder, 'train.yaml');
  await writeFile(path, settings);
  return flags('--config', path, ...args);
}

test('what is not given has a default', async () => {
  const config = toConfig(await flags(), 256);
  expect(config.model).toEqual({
    ...{ layers: 3, heads: 4, dim: 48, context: 32, vocabulary: 256, tie: true },
    ...{ attention: 'mha', rank: null, norm: 'pre' },
  });
  expect(config.schedule.kind).toBe('cosine');
  expect(config.optimizer).toEqual({ name: 'adamw', beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 });
});

test('a size is a starting point that flags change', async () => {
  const config = toConfig(await flags('--size', 'gpt2', '--layers', '2', '--no-tie', '--norm', 'post'), 50_257);
  expect(config.model).toEqual({
    ...{ layers: 2, heads: 12, dim: 768, context: 1024, vocabulary: 50_257, tie: false },
    ...{ attention: 'mha', rank: null, norm: 'post' },
  });
});

test('the rank of mlra is half the dimension, or what is given', async () => {
  expect(toConfig(await flags('--attention', 'mlra'), 256).model.rank).toBe(24);
  expect(toConfig(await flags('--attention', 'mlra', '--rank', '48'), 256).model.rank).toBe(48);
  await expect(flags('--attention', 'mlra', '--rank', '49')).rejects.toThrow('--rank: 49 is above the dimension');
  await expect(flags('--rank', '4')).rejects.toThrow('--rank goes with --attention mlra');
});

test('sgd has its own constants', async () => {
  const config = toConfig(await flags('--optimizer', 'sgd', '--momentum', '0.5'), 256);
  expect(config.optimizer).toEqual({ name: 'sgd', momentum: 0.5, weightDecay: 0.1 });
});

test('a file holds settings by the names of the flags, and flags go before it', async () => {
  const settings = 'layers: 5\nlr: 1e-3\ntie: false\ntags: [a, b]\ntext: [x.txt, y]\ncheckpoint: false\nname: "12"';
  const read = await flagsWith(settings, '--layers', '6');
  expect(read).toMatchObject({ layers: 6, lr: 0.001, tie: false, tags: ['a', 'b'], text: ['x.txt', 'y'] });
  expect(read).toMatchObject({ checkpoint: false, name: '12' });
  expect(await flagsWith('{"microBatches": 8, "tags": "a, b"}')).toMatchObject({ microBatches: 8, tags: ['a', 'b'] });
});

test('the settings that hold are a file that gives them again', async () => {
  const first = await flags(
    '--attention',
    'mlra',
    '--no-tie',
    '--tags',
    'a,b',
    '--notes',
    'a: "b"\n# c',
    '--lr',
    '1e-3',
  );
  const again = await flagsWith(settingsToYaml(settingsOf(first)));
  expect(settingsOf(again)).toEqual(settingsOf(first));
});

test.each([
  ['color: red', 'there is no setting "color"'],
  ['key: secret', 'there is no setting "key"'],
  ['resume: a', 'there is no setting "resume"'],
  ['layers: 0', 'layers: Expected a whole number from 1 to 2147483647.'],
  ['layers: [1, 2]', 'layers: expected a value'],
  ['layers: true', 'layers: expected a value'],
  ['tie: 1', 'tie: expected true or false'],
  ['attention: mla', 'attention: Allowed choices are mha, mlra, sigma-reparam, qk-norm.'],
  ['- layers: 3', 'is not a list of settings'],
  ['a: b: c', 'Nested mappings are not allowed'],
])('a file with %j is refused, and named with the setting', async (settings, problem) => {
  await expect(flagsWith(settings)).rejects.toThrow(problem);
  await expect(flagsWith(settings)).rejects.toThrow(join(folder, 'train.yaml'));
});

test('a checkpoint gives the settings of its run, but decides neither where it is sent nor which files are written', async () => {
  const path = join(folder, 'a.safetensors');
  const foreign = { server: 'http://elsewhere.example', offline: true, record: '/etc/a', checkpoint: '/etc/b' };
  const about = { run: '01a20c3b-2923-72c2-b6ab-cfeff46d9465', attempt: 1, steps: 5, lrFactor: 1, text: '' };
  await writeCheckpoint(path, { ...about, settings: { ...foreign, layers: 5, lr: 0.5, notes: 'kept' } }, []);
  const read = await flags('--resume', path, '--lr', '0.25');
  expect(read).toMatchObject({ layers: 5, lr: 0.25, notes: 'kept' });
  expect(read.server).toBe((await flags()).server);
  expect([read.offline, read.record, read.checkpoint]).toEqual([undefined, undefined, undefined]);
  expect(Object.keys(settingsToKeep(await flags()))).not.toContain('server');
});

test('a file that is not there is named', async () => {
  await expect(flags('--config', join(folder, 'no'))).rejects.toThrow(`--config: there is no ${join(folder, 'no')}`);
});

test('what alerts do to a run is read as its policy', async () => {
  const read = await flags('--on-warning', 'reduce-lr=0.5', '--on-critical', 'stop');
  expect(policyOf(read)).toEqual({ warning: { kind: 'reduce-lr', factor: 0.5 }, critical: { kind: 'stop' } });
  expect(policyOf(await flags())).toEqual({ warning: { kind: 'observe' }, critical: { kind: 'observe' } });
});

test.each([
  'explode',
  'reduce-lr',
  'reduce-lr=1',
  'reduce-lr=a',
  'reduce-lr=0.5=2',
  'reduce-lr=0x1p-1',
  'reduce-lr=',
  'stop=3',
  '',
])('no alert does %j to a run', async (reaction) => {
  await expect(flags('--on-critical', reaction)).rejects.toThrow('--on-critical');
});

test('a checkpoint cannot be asked for and be unwanted', async () => {
  await expect(flags('--no-checkpoint', '--on-warning', 'checkpoint')).rejects.toThrow('--no-checkpoint: ');
});

test('tags are read with commas between them', async () => {
  expect((await flags('--tags', 'a, b,,c')).tags).toEqual(['a', 'b', 'c']);
});

test.each([
  [['--server', 'localhost'], '--server'],
  [['--project', ''], '--project'],
  [['--name', 'x'.repeat(201)], '--name'],
  [['--owner', 'a\0b'], '--owner'],
  [['--tags', 'x'.repeat(101)], '--tags'],
  [['--size', 'tera'], '--size'],
  [['--layers', '0'], '--layers'],
  [['--heads', '1.5'], '--heads'],
  [['--steps', '1e3'], '--steps'],
  [['--dim', '-4'], '--dim'],
  [['--context', '1'], '--context'],
  [['--batch', 'two'], '--batch'],
  [['--micro-batches', ''], '--micro-batches'],
  [['--steps', '99999999999'], '--steps'],
  [['--lr', '0'], '--lr'],
  [['--lr', 'NaN'], '--lr'],
  [['--warmup', '-1'], '--warmup'],
  [['--schedule', 'square'], '--schedule'],
  [['--attention', 'mla'], '--attention'],
  [['--norm', 'none'], '--norm'],
  [['--optimizer', 'lion'], '--optimizer'],
  [['--tokenizer', 'words'], '--tokenizer'],
  [['--held-out', '0.6'], '--held-out'],
  [['--tev-every', '-1'], '--tev-every'],
  [['--eval-sequences', '0'], '--eval-sequences'],
  [['--ramp-from', 'x'], '--ramp-from'],
  [['--ramp-factor', '0'], '--ramp-factor'],
  [['--weight-decay', '-0.1'], '--weight-decay'],
  [['--clip', 'Infinity'], '--clip'],
  [['--seed', '-1'], '--seed'],
  [['--backend', 'cuda'], '--backend'],
])('%j is refused, and the flag is named', async (args, flag) => {
  await expect(flags(...args)).rejects.toThrow(flag);
});

test('heads must share the dimension', async () => {
  await expect(flags('--heads', '5')).rejects.toThrow('--heads: 5 heads do not share a dimension (--dim) of 48 evenly');
  await expect(flags('--heads', '48')).rejects.toThrow('--heads');
});
