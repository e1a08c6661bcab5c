import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command as SentCommand, PolicyInput as SentPolicy, StepEvent } from '@evenkeel/protocol';
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest';
import type * as declared from './public.ts';
import { startRun } from './start-run.ts';
import { syncSpool } from './sync-spool.ts';
import { IngestServer } from './testing.ts';
import { uuidv7 } from './uuid.ts';

const run = promisify(execFile);
const PACKAGE = join(import.meta.dirname, '..');
const MODULES = join(PACKAGE, '../../node_modules');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-user-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('what is declared for users is what there is', () => {
  expectTypeOf(startRun).toExtend<typeof declared.startRun>();
  expectTypeOf(syncSpool).toExtend<typeof declared.syncSpool>();
  expectTypeOf(uuidv7).toExtend<typeof declared.uuidv7>();
  expectTypeOf<SentCommand>().toExtend<declared.Command>();
  expectTypeOf<declared.PolicyInput>().toExtend<SentPolicy>();
  expectTypeOf<StepEvent>().toExtend<declared.StepInput>();
});

const TRAINER = `
import { type Command, type FinishResult, type OpenedAttempt, type Run, startRun, type StepInput, uuidv7 } from '@evenkeel/emit';

const obeyed: Command[] = [];
const run: Run = await startRun({
  server: process.argv[2] ?? '',
  project: 'demo',
  name: 'outside',
  id: uuidv7(Date.now()),
  attempt: 'resume',
  layers: ['wte', 'h.0'],
  policy: { critical: { kind: 'reduce-lr', factor: 0.5 } },
  onCommand: (command) => void obeyed.push(command),
  spool: false,
  onWarning: () => {},
});
const step: StepInput = { step: -1, loss: Number.NaN, layerGradVar: new Float32Array(2), custom: { accuracy: 0.5 } };
run.log(step);
// @ts-expect-error no such field
run.log({ step: 0, lost: 1 });
// @ts-expect-error a scalar is a number
run.log({ step: 0, loss: '1' });
const opened: OpenedAttempt | null = await run.opened({ signal: AbortSignal.timeout(10_000) });
await run.drained();
const { delivered, dropped }: FinishResult = await run.finish('finished');
console.log(JSON.stringify({ delivered, dropped, opened }));
`;

const COMPILER_OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  target: 'es2022',
  module: 'nodenext',
  lib: ['es2023'],
  types: ['node'],
  skipLibCheck: false,
};

/** Unpacks the package as npm does, beside what its manifest says that it needs and nothing else. */
async function installTarball(tarball: string): Promise<void> {
  const installed = join(folder, 'node_modules/@evenkeel/emit');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) await symlink(join(MODULES, name), join(folder, 'node_modules', name));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
}

test('a trainer outside of the repository installs the package, compiles against it without skipLibCheck, and runs', async () => {
  // Of what is built: to build it again, as `npm pack` does, would write what other tests are reading just then.
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await run('npm', pack, { cwd: PACKAGE });
  const [packed] = JSON.parse(stdout);
  const files: string[] = packed.files.map(({ path }: { path: string }) => path);
  expect(files).toEqual(expect.arrayContaining(['dist/index.d.ts', 'dist/index.mjs', 'README.md']));
  await installTarball(join(folder, packed.filename));
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'src', 'train.mts'), TRAINER);
  const typeRoots = [join(MODULES, '@types')]; // Node's, which every trainer has anyway
  const config = {
    compilerOptions: { ...COMPILER_OPTIONS, typeRoots, rootDir: 'src', outDir: 'out' },
    include: ['src'],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  await run(process.execPath, [join(MODULES, 'typescript/bin/tsc'), '-p', folder]).catch(({ stdout: problems }) => {
    throw new Error(problems);
  });

  await using server = await IngestServer.listen();
  server.answer = ({ event }) => (event === 'run:start' ? { ok: true, attempt: 4 } : { ok: true });
  const child = spawn(process.execPath, [join(folder, 'out/train.mjs'), server.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(JSON.parse(printed)).toEqual({
    delivered: true,
    dropped: [{ field: 'loss', reason: 'not a number', count: 1 }],
    opened: { attempt: 4, lastStep: null },
  });
  expect(server.accepted).toMatchObject([{ step: -1, layerGradVar: [0, 0] }, { step: 0 }, { step: 0 }]);
});
