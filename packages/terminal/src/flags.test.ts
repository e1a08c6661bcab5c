import { Command } from 'commander';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { action, count, flag, group, toggle, whole } from './flags.ts';

const flags = z.object({
  steps: flag(count.default(600), { value: '<count>', help: 'steps of each run' }),
  warmUp: flag(whole.optional(), { value: '<steps>', help: 'steps until the peak' }),
  port: flag(whole.max(65_535).default(4870), { value: '<port>', help: 'port to listen on' }),
  lr: flag(z.number().positive().default(4e-3), { value: '<rate>', help: 'learning rate' }),
  heldOut: flag(z.number().min(0).max(0.5).default(0.05), { value: '<share>', help: 'share to evaluate on' }),
  norm: flag(z.enum(['pre', 'post']).default('pre'), { value: '<place>', help: 'place of the layer norm' }),
  text: flag(z.array(z.string().min(1, 'Not a path')).default([]), {
    value: '<path...>',
    help: 'files',
    shownDefault: 'tiny',
  }),
  server: flag(z.url().default('http://127.0.0.1:4870'), { value: '<url>', help: 'the server' }),
  checkpoint: flag(z.union([z.string(), z.literal(false)]).optional(), {
    value: '<file>',
    help: 'where the state is kept',
    negated: 'keep no state',
  }),
  open: flag(z.boolean().default(true), { negated: 'open no browser' }),
  json: toggle('print JSON'),
  table: flag(z.boolean().optional(), { help: 'print a table', conflicts: ['json'] }),
});

/** What a command gets of its flags and arguments, or prints where it refuses them. */
async function run(...args: string[]): Promise<{ flags?: z.output<typeof flags>; run?: string; printed: string }> {
  const got: Awaited<ReturnType<typeof run>> = { printed: '' };
  const command = new Command('train').argument('[run]').exitOverride();
  command.configureOutput({
    writeErr: (text) => {
      got.printed += text;
    },
  });
  action(command, flags, (read, run: string | undefined) => Object.assign(got, { flags: read, run }));
  await command.parseAsync(args, { from: 'user' }).catch(() => {});
  return got;
}

test('what is not given has its default, or is absent', async () => {
  const { flags } = await run();
  expect(flags).toEqual({
    steps: 600,
    port: 4870,
    lr: 0.004,
    heldOut: 0.05,
    norm: 'pre',
    text: [],
    server: 'http://127.0.0.1:4870',
    open: true,
  });
});

test('each value is read as its field says, beside the arguments', async () => {
  const numbers = ['--steps', '1', '--warm-up', '0', '--port', '0', '--lr', '1e-3', '--held-out', '.5'];
  const rest = ['--norm', 'post', '--no-checkpoint', '--no-open', '--json', '--text', 'a', 'b'];
  expect(await run('some run', ...numbers, ...rest)).toMatchObject({
    flags: {
      ...{ steps: 1, warmUp: 0, port: 0, lr: 0.001, heldOut: 0.5, norm: 'post', text: ['a', 'b'] },
      ...{ checkpoint: false, open: false, json: true },
    },
    run: 'some run',
  });
  expect((await run('--checkpoint', 'a')).flags).toMatchObject({ checkpoint: 'a' });
});

test.each([
  ['--steps', '0', 'Expected a whole number from 1 on.'],
  ['--steps', '1.5', 'Expected a whole number from 1 on.'],
  ['--steps', '0x10', 'Expected a whole number from 1 on.'],
  ['--steps', '1e3', 'Expected a whole number from 1 on.'],
  ['--steps', '1.0', 'Expected a whole number from 1 on.'],
  ['--steps', '', 'Expected a whole number from 1 on.'],
  ['--steps', '99999999999999999999', 'Expected a whole number from 1 on.'],
  ['--warm-up', '-1', 'Expected a whole number from 0 on.'],
  ['--port', '99999', 'Expected a whole number from 0 to 65535.'],
  ['--lr', '0', 'Expected a number above 0.'],
  ['--lr', 'NaN', 'Expected a number above 0.'],
  ['--lr', 'Infinity', 'Expected a number above 0.'],
  ['--held-out', '0.6', 'Expected a number from 0 to 0.5.'],
  ['--norm', 'none', 'Allowed choices are pre, post.'],
  ['--text', '', 'Not a path.'],
  ['--server', 'localhost', 'Invalid URL.'],
])('%s %j names the flag, what is expected, and where the flags are listed', async (name, value, problem) => {
  const { printed } = await run(name, value);
  expect(printed).toMatch(new RegExp(`^error: option '${name} <.+>' argument '${value}' is invalid. ${problem}\n`));
  expect(printed).toContain('--help');
});

test('flags that exclude each other are refused by their names', async () => {
  expect((await run('--table', '--json')).printed).toContain("option '--table' cannot be used with option '--json'");
});

test('the help has every flag, with its default', () => {
  const help = action(new Command('train'), flags, () => {}).helpInformation();
  expect(help).toContain('--warm-up <steps>');
  expect(help).toContain('--no-open');
  expect(help).not.toContain('--open ');
  expect(help.replace(/\s+/g, ' ')).toContain('files (default: tiny)');
  expect(help).toContain('--no-checkpoint');
});

test('the help has flags under their heading, and says which variable one is read from', () => {
  const key = flag(z.string().optional(), { value: '<key>', help: 'ingest key', env: 'SOME_KEY' });
  const grouped = z.object({ ...group('The run:', { key }), json: toggle('print JSON') });
  const help = action(new Command('train'), grouped, () => {}).helpInformation();
  expect(help).toMatch(/The run:\n +--key <key> +ingest key \(env: SOME_KEY\)\n/);
  expect(help).toMatch(/Options:\n +--json/);
});

test('a field that is no flag is a mistake of whoever writes the command', () => {
  expect(() => action(new Command('x'), z.object({ steps: count }), () => {})).toThrow('steps');
});
