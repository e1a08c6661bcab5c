import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { createApiKey, type Database, getRun, openDatabase, readConsole, readHistory, recentSteps } from '@evenkeel/db';
import { makeDataDir, openTestDatabase } from '@evenkeel/db/testing-template';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { runIdOf } from '../src/run-key.ts';
import { serveDoor, type TestDoor } from '../src/testing.ts';

// Scripts as users write them, with the client of W&B as it is installed from PyPI. They wait more than they compute.

const RELEASES = {
  '0.31': 'packages/doors/wandb/requirements.txt',
  '0.21': 'packages/doors/wandb/requirements-0.21.txt',
} as const;
type Release = keyof typeof RELEASES;
const EACH: readonly Release[] = ['0.31', '0.21'];

const clients = inject('clients');
const isInstalled = EACH.every((release) => clients[RELEASES[release]] != null);
const execute = promisify(execFile);

let db: Database;
let door: TestDoor;
let key: string;
beforeAll(async () => {
  db = await openTestDatabase();
  key = (await createApiKey(db, 'ada', new Date())).secret;
  door = await serveDoor(db);
});
afterAll(async () => {
  expect(door.errors).toEqual([]);
  await door[Symbol.asyncDispose]();
  await db.close();
});

type Variables = Record<string, string>;

/** Runs Python in a folder; rejects where it fails, with what it wrote. */
function python(release: Release, args: readonly string[], cwd: string, variables: Variables = {}) {
  const { PATH, HOME } = process.env;
  const server = { WANDB_BASE_URL: door.url, WANDB_API_KEY: key };
  return execute(clients[RELEASES[release]] ?? '', args, { cwd, env: { PATH, HOME, ...server, ...variables } });
}

const idOf = (name: string) => runIdOf({ entity: 'evenkeel', project: 'p', name });

/** The steps of a run's timeline, each with what it carries. */
async function stepsOf(id: string, from = db) {
  const steps = await recentSteps(from, { run: id, limit: 10_000 });
  return steps.map(({ time: _, ...step }) =>
    Object.fromEntries(Object.entries(step).filter(([, value]) => value != null)),
  );
}

const WHOLE = `
import os, sys, wandb
name = os.environ["NAME"]
config = {"lr": 0.1, "n": float("nan"), "nest": {"a": 1}, "big": 2**60}
run = wandb.init(project="p", id=name, name="a name", tags=["t"], notes="*why*", group="g", config=config)
run.define_metric("my_step")
run.define_metric("val/*", step_metric="my_step")
print("to stdout")
print("to stderr", file=sys.stderr)
for step in range(3):
    histogram = wandb.Histogram(np_histogram=([1, 2], [0, 1, 2]))
    run.log({"train/loss": 2 - step, "deep": {"x": {"y": step}}, "yes": True, "text": "words", "h": histogram})
run.log({"train/loss": float("nan"), "up": float("inf"), "down": float("-inf"), "none": None})
run.log({"val/acc": 0.5, "my_step": 2})
run.log({"late": 2**60}, step=50)
run.log({"table": wandb.Table(columns=["a"], data=[[1]])})
run.log_artifact(wandb.Artifact("model", type="model"))
run.alert(title="Bad", text="went bad", level=wandb.AlertLevel.WARN)
run.config.update({"added": 5, "lr": 0.2}, allow_val_change=True)
run.finish()

resumed = wandb.init(project="p", id=name, resume="must")
assert resumed.config["nest"] == {"a": 1} and resumed.config["big"] == 2**60
assert resumed.summary["late"] == 2**60
resumed.log({"train/loss": 9})
resumed.finish()

try:
    wandb.init(project="p", id=name, resume="never")
except wandb.Error:
    sys.exit(0)
sys.exit("a run that there is was begun again")
`;

const FAILING = `
import os, wandb
run = wandb.init(project="p", id=os.environ["NAME"], resume="allow", settings=wandb.Settings(x_disable_stats=True))
run.log({"loss": 1})
raise ValueError("out of luck")
`;

const LOOP = `
import os, time, wandb
run = wandb.init(project="p", id=os.environ["NAME"])
for step in range(10_000):
    run.log({"loss": 2.0 if step < 20 else float("nan")})
    time.sleep(0.05)
`;

const RANK = `
import os, time, wandb
run = wandb.init(project="p", id=os.environ["NAME"])
for step in range(200):
    run.log({os.environ["RANK"]: step})
    print(os.environ["RANK"], step, flush=True)
    time.sleep(0.1)
`;

const OFFLINE = `
import os, wandb
run = wandb.init(project="p", id=os.environ["NAME"], config={"lr": 0.1})
for step in range(500):
    run.log({"loss": 1 / (step + 1), "odd": float("nan")})
`;

const SLOW = `
import os, time, wandb
run = wandb.init(project="p", id=os.environ["NAME"])
for step in range(600):
    run.log({"loss": step})
    time.sleep(0.05)
`;

describe.skipIf(!isInstalled)('unmodified scripts', () => {
  test.concurrent.each(EACH)('%s: a run is stored with all that is kept, and resumed', async (release) => {
    using folder = new Folder();
    const name = `whole${release}`;
    await python(release, ['-c', WHOLE], folder.path, { NAME: name });
    const id = idOf(name);
    expect(await stepsOf(id)).toMatchObject([
      { step: 0, loss: 2, custom: { 'deep.x.y': 0, yes: 1 } },
      { step: 1, loss: 1, custom: { 'deep.x.y': 1, yes: 1 } },
      { step: 2, loss: 0, custom: { 'deep.x.y': 2, yes: 1, 'val/acc': 0.5 } },
      { step: 3, loss: Number.NaN, custom: { up: Number.POSITIVE_INFINITY, down: Number.NEGATIVE_INFINITY } },
      { step: 50, custom: { late: 2 ** 60 } },
      { step: 51, loss: 9 },
    ]);
    const found = await getRun(db, id);
    expect(found).toMatchObject({
      ...{ project: 'p', name: 'a name', tags: ['t'], notes: '*why*', status: 'finished', reason: null },
      config: {
        ...{ lr: 0.2, n: null, nest: { a: 1 }, big: { $number: '1152921504606846976' }, added: 5 },
        _wandb: { group: 'g' },
      },
      attempts: [
        { status: 'finished', lastStep: 50 },
        { status: 'finished', firstStep: 51 },
      ],
      names: { loss: 'train/loss' },
    });
    const dropped = found?.dropped.map(({ field, count }) => [field, count]);
    expect(dropped).toEqual(
      expect.arrayContaining([
        ['custom.text', 3],
        ['custom.h', 3],
        ['custom.table', 1],
        ['artifacts', 2],
      ]),
    );
    const { lines } = await readConsole(db, { run: id, limit: 100 });
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ attempt: 1, stream: 'stdout', text: 'to stdout' }),
        expect.objectContaining({ attempt: 1, stream: 'stderr', text: 'to stderr' }),
      ]),
    );
    expect(await readHistory(db, { run: id, limit: 9 })).toMatchObject([
      { kind: 'report', attempt: 1, by: 'ada', reason: 'WARN: Bad: went bad' },
    ]);
  });

  test.concurrent.each(EACH)('%s: one that raises has failed', async (release) => {
    using folder = new Folder();
    const name = `failing${release}`;
    await expect(python(release, ['-c', FAILING], folder.path, { NAME: name })).rejects.toThrow('out of luck');
    expect(await getRun(db, idOf(name))).toMatchObject({ status: 'failed', reason: 'exit code 1', lastStep: 0 });
  });

  test.concurrent.each(EACH)('%s: one whose loss is no number is stopped by its policy', async (release) => {
    using folder = new Folder();
    const name = `loop${release}`;
    const running = python(release, ['-c', LOOP], folder.path, { NAME: name, WANDB_TAGS: 'evenkeel:stop' });
    await expect(running).rejects.toThrow('KeyboardInterrupt');
    expect(await getRun(db, idOf(name))).toMatchObject({
      status: 'stopped',
      openAlerts: expect.arrayContaining([expect.objectContaining({ rule: 'non-finite' })]),
    });
  });

  test.concurrent.each(EACH)('%s: two processes that write one run at once lose no line', async (release) => {
    using folders = new Folder();
    const name = `ranks${release}`;
    const ranks = ['one', 'two'].map((rank) => {
      const folder = join(folders.path, rank);
      mkdirSync(folder);
      return python(release, ['-c', RANK], folder, { NAME: name, RANK: rank });
    });
    await Promise.all(ranks);
    const id = idOf(name);
    expect(await getRun(db, id)).toMatchObject({ status: 'finished', attempts: [{ number: 1 }] });
    const steps = (await stepsOf(id)).map(({ step, custom }) => [step, custom]);
    expect(new Map(steps as [number, object][])).toEqual(
      new Map(Array.from({ length: 200 }, (_, step) => [step, expect.objectContaining({ one: step, two: step })])),
    );
    const { lines } = await readConsole(db, { run: id, limit: 1_000 });
    const printed = ['one', 'two'].flatMap((rank) => Array.from({ length: 200 }, (_, step) => `${rank} ${step}`));
    expect(lines.map(({ text }) => text)).toEqual(expect.arrayContaining(printed));
  });

  test.concurrent('an offline folder that is synced, and again, is stored once', async () => {
    using folder = new Folder();
    await python('0.31', ['-c', OFFLINE], folder.path, { NAME: 'offline', WANDB_MODE: 'offline' });
    const [run = ''] = readdirSync(join(folder.path, 'wandb')).filter((name) => name.startsWith('offline-run'));
    for (let time = 0; time < 2; time++)
      await python('0.31', ['-m', 'wandb', 'sync', '--include-synced', join('wandb', run)], folder.path);
    const id = idOf('offline');
    const steps = await stepsOf(id);
    expect(steps.map(({ step, loss }) => [step, loss])).toEqual(
      Array.from({ length: 500 }, (_, step) => [step, 1 / (step + 1)]),
    );
    expect(await getRun(db, id)).toMatchObject({ status: 'finished', config: { lr: 0.1 }, attempts: [{ number: 1 }] });
  });

  test.concurrent('a server that is killed loses nothing', async () => {
    using folder = new Folder();
    const dataDir = join(folder.path, 'data');
    await makeDataDir(dataDir);
    await using server = new KilledServer(dataDir);
    await server.start();
    const variables = { NAME: 'slow', WANDB_BASE_URL: server.url };
    const script = python('0.31', ['-c', SLOW], folder.path, variables);
    await server.hasStored();
    await server.kill();
    await server.start();
    await script;
    await server.kill();
    const stored = await openDatabase({ dataDir });
    try {
      const steps = await stepsOf(idOf('slow'), stored);
      expect(steps.map(({ step, loss }) => [step, loss])).toEqual(
        Array.from({ length: 600 }, (_, step) => [step, step]),
      );
      expect(await getRun(stored, idOf('slow'))).toMatchObject({ status: 'finished', attempts: [{ number: 1 }] });
    } finally {
      await stored.close();
    }
  });
});

/** A folder that is gone when the test is over. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'evenkeel-wandb-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A server as a process of its own, over a folder. */
class KilledServer implements AsyncDisposable {
  /** The same each time that it starts. */
  url = 'http://127.0.0.1:0';
  readonly #dataDir: string;
  #process: ReturnType<typeof spawn> | null = null;
  #lines: AsyncIterator<string> | null = null;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  async start(): Promise<void> {
    const args = [bundle(), this.#dataDir, new URL(this.url).port];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.url = await this.#nextLine();
  }

  async hasStored(): Promise<void> {
    expect(await this.#nextLine()).toBe('stored');
  }

  async #nextLine(): Promise<string> {
    const next = await this.#lines?.next();
    if (!next || next.done) throw new Error('the server has ended');
    return next.value;
  }

  /** `kill -9` */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

let script: string | undefined;
afterAll(() => script && rmSync(script));

/** Bundled, as a server is, into a folder from where packages are found by name. */
function bundle(): string {
  if (script) return script;
  const folder = join(import.meta.dirname, '../../../../node_modules/.cache/evenkeel-door-wandb');
  mkdirSync(folder, { recursive: true });
  script = join(folder, `server-${process.pid}.mjs`);
  const external = ['pg', 'pg-copy-streams', 'drizzle-orm', '@electric-sql/pglite', 'zod', 'hono', '@hono/node-server'];
  buildSync({
    entryPoints: [join(import.meta.dirname, 'server.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external,
  });
  return script;
}
