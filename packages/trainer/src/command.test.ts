import { expect, test } from 'vitest';
import { type TrainFlags, toConfig, trainCommand } from './command.ts';

/** The flags as commander reads them, without training. */
async function flags(...args: string[]): Promise<TrainFlags> {
  const command = trainCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  let read: TrainFlags | null = null;
  command.action((given: TrainFlags) => {
    read = given;
  });
  await command.parseAsync(args, { from: 'user' });
  if (!read) throw new Error('the action was not reached');
  return read;
}

test('what is not given has a default', async () => {
  const config = toConfig(await flags());
  expect(config.model).toEqual({ layers: 3, heads: 4, dim: 48, context: 32, vocabulary: 256, tie: true });
  expect(config.schedule.kind).toBe('cosine');
  expect(config.optimiser).toEqual({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 });
});

test('a size is a starting point that flags change', async () => {
  const config = toConfig(await flags('--size', 'gpt2', '--layers', '2', '--no-tie', '--tags', 'a, b'));
  expect(config.model).toEqual({ layers: 2, heads: 12, dim: 768, context: 1024, vocabulary: 256, tie: false });
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
  [['--dim', '-4'], '--dim'],
  [['--context', '1'], '--context'],
  [['--batch', 'two'], '--batch'],
  [['--micro-batches', ''], '--micro-batches'],
  [['--steps', '99999999999'], '--steps'],
  [['--lr', '0'], '--lr'],
  [['--lr', 'NaN'], '--lr'],
  [['--warmup', '-1'], '--warmup'],
  [['--schedule', 'linear'], '--schedule'],
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
  const uneven = await flags('--heads', '5');
  expect(() => toConfig(uneven)).toThrow('--heads: 5 heads do not share a dimension (--dim) of 48 evenly');
  const tooMany = await flags('--heads', '48');
  expect(() => toConfig(tooMany)).toThrow('--heads');
});
