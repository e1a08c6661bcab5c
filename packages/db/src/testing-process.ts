import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';
import { afterAll, onTestFinished } from 'vitest';
import { PACKAGE } from './package.ts';

/** A folder that is gone after the test. */
export function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-db-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Child {
  pid: number;
  /** The next line of its output, parsed. */
  nextReport(): Promise<Record<string, unknown>>;
  /** `kill -9`. */
  kill(): Promise<void>;
}

/** A process of `testing-child.ts`, killed at the latest when the test ends. */
export function startChild(act: 'lock' | 'insert', dataDir: string): Child {
  const child = spawn(process.execPath, [childScript(), act, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const kill = () => killed(child);
  onTestFinished(kill);
  return { pid: child.pid ?? 0, kill, nextReport: async () => JSON.parse((await lines.next()).value ?? '{}') };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

let script: string | undefined;
afterAll(() => script && rmSync(script));

/** Bundled, as a server is, into a folder from where packages are found by name. */
function childScript(): string {
  if (script) return script;
  const folder = join(PACKAGE, '../../node_modules/.cache/evenkeel-db');
  mkdirSync(folder, { recursive: true });
  script = join(folder, `child-${process.pid}.mjs`);
  const external = ['pg', 'pg-copy-streams', 'drizzle-orm', '@electric-sql/pglite', 'zod'];
  const entry = join(PACKAGE, 'src/testing-child.ts');
  buildSync({ entryPoints: [entry], outfile: script, bundle: true, platform: 'node', format: 'esm', external });
  return script;
}
