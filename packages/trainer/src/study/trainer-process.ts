import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { configOf, pathsOf } from './run-folder.ts';
import type { PlannedRun, Study } from './study-file.ts';

/** As many characters of what a trainer complains of are kept. */
const LAST_WORDS = 2_000;

/** Where runs are sent, beside being recorded; no server where it is null. */
export interface Destination {
  server: string | null;
  key: string | undefined;
}

/** One run in training: a process of its own, of low priority. */
export class TrainerProcess {
  readonly run: PlannedRun;
  /** Steps that it has told of, those before a resumption included. */
  steps = 0;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private complaints = '';

  private constructor(run: PlannedRun, child: ChildProcess, ended: Promise<void>) {
    this.run = run;
    this.child = child;
    this.ended = ended;
    child.stdout?.on('data', (part: Buffer) => this.follow(String(part)));
    child.stderr?.on('data', (part: Buffer) => {
      this.complaints = `${this.complaints}${part}`.slice(-LAST_WORDS);
    });
  }

  /** Starts a run, or goes on with it where it has a checkpoint. */
  static async start(study: Study, out: string, run: PlannedRun, to: Destination): Promise<TrainerProcess> {
    const paths = pathsOf(out, run);
    await mkdir(paths.folder, { recursive: true });
    await writeFile(paths.config, configOf(study, run));
    const resumed = existsSync(paths.checkpoint);
    if (!resumed) await rm(paths.recording, { force: true }); // there is nothing to go on from
    const flags = ['--config', paths.config, '--record', paths.recording, '--checkpoint', paths.checkpoint];
    if (resumed) flags.push('--resume', paths.checkpoint);
    flags.push(...(to.server === null ? ['--offline'] : ['--server', to.server]));
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, 'train', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: to.key ? { ...process.env, EVENKEEL_KEY: to.key } : process.env,
      detached: true, // in a process group of its own, so that a terminal's Ctrl-C comes once, from the study
    });
    return new TrainerProcess(run, child, settle(child, paths));
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The end of what it complained of. */
  get lastWords(): string {
    return this.complaints.trim();
  }

  private follow(text: string): void {
    const told = [...text.matchAll(/step (\d+)\//g)].at(-1)?.[1];
    if (told) this.steps = Number(told);
  }
}

/** Sees a process through to its end. */
async function settle(child: ChildProcess, paths: ReturnType<typeof pathsOf>): Promise<void> {
  const closed = once(child, 'close');
  const log = createWriteStream(paths.log, { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  if (child.pid !== undefined) {
    lower(child.pid);
    await writeFile(paths.pid, String(child.pid));
  }
  await closed;
  log.end();
  await rm(paths.pid, { force: true });
}

/** Others on the machine go first. */
function lower(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // it has ended already, or this machine has no priorities: it trains all the same
  }
}
