import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UNSOUND_YAML } from '../testing.ts';
import { resolveFlags, trainCommand } from './command.ts';
import { readYaml } from './yaml-file.ts';

let file: string;
beforeAll(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'evenkeel-yaml-')), 'given.yaml');
});
afterAll(() => rm(join(file, '..'), { recursive: true }));

/** As `evenkeel train --config` reads it. */
async function readConfig(): Promise<unknown> {
  const command = trainCommand().action(() => {});
  await command.parseAsync(['--config', file], { from: 'user' });
  return resolveFlags(command);
}

test.each(UNSOUND_YAML)(
  '`train --config` names file and line, without a stack, of a YAML %s',
  async (_, source, message) => {
    await writeFile(file, source);
    const error = await readConfig().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'UsageError',
      message: expect.stringMatching(/^--config: \S+given\.yaml(, line \d+)?: [^\n]+$/),
    });
    expect((error as Error).message).toContain(message);
  },
);

test.each([
  ['a number beyond all', 'seed: 1e999', 'seed'],
  ['a number of 100,000 digits', `seed: ${'9'.repeat(100_000)}`, 'seed'],
  ['a list', '- layers: 2', 'not a list of settings'],
  ['a text', 'layers', 'not a list of settings'],
  ['nothing', '', 'not a list of settings'],
  ['a key that objects have', '__proto__: { layers: 2 }', '__proto__'],
])('`train --config` refuses a YAML of %s', async (_, source, field) => {
  await writeFile(file, source);
  await expect(readConfig()).rejects.toMatchObject({ name: 'UsageError', message: expect.stringContaining(field) });
});

test('a folder, or what is not there, is no file of settings', async () => {
  await expect(readYaml(join(file, '..'))).rejects.toMatchObject({ name: 'UsageError' });
  await expect(readYaml(join(file, '../none'))).rejects.toThrow(/^there is no .*none$/);
});

test('some aliases in a file of settings are fine', async () => {
  await writeFile(file, 'base: &b { layers: 2, lr: 1e-3 }\ngrid: [*b]');
  expect(await readYaml(file)).toMatchObject({ grid: [{ layers: 2, lr: 1e-3 }] });
});
