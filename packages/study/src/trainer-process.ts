import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { configOf, pathsOf } from './run-folder.ts';
import type { PlannedRun, Study } from './study-file.ts';

/** Characters of a trainer's errors that are kept, from the end. */
const MAX_ERRORS = 2_000;

/** The server that runs are sent to; null to only record them. */
export interface Destination {
  server: string | null;
  key: string | undefined;
}

/** One run in training: a process of its own, of low priority. */
export class TrainerProcess {
  readonly run: PlannedRun;
  /** Steps that it has reported, including those of earlier attempts. */
  steps = 0;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private errors = '';

  private constructor(run: PlannedRun, child: ChildProcess, ended: Promise<void>) {
    this.run = run;
    this.child = child;
    this.ended = ended;
    child.stdout?.on('data', (part: Buffer) => this.follow(String(part)));
    child.stderr?.on('data', (part: Buffer) => {
      this.errors = `${this.errors}${part}`.slice(-MAX_ERRORS);
    });
  }

  /** Starts a run, or resumes it where it has a checkpoint. */
  static async start(study: Study, out: string, run: PlannedRun, to: Destination): Promise<TrainerProcess> {
    const paths = pathsOf(out, run);
    await mkdir(paths.folder, { recursive: true });
    await writeFile(paths.config, configOf(study, run));
    const resumed = existsSync(paths.checkpoint);
    if (!resumed) await rm(paths.recording, { force: true }); // there is nothing to resume from
    const flags = ['--config', paths.config, '--record', paths.recording, '--checkpoint', paths.checkpoint];
    if (resumed) flags.push('--resume', paths.checkpoint);
    flags.push(...(to.server === null ? ['--offline'] : ['--server', to.server]));
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, 'train', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: to.key ? { ...process.env, EVENKEEL_KEY: to.key } : process.env,
      detached: true, // a process group of its own, so that a terminal's Ctrl-C arrives once, from the study
    });
    return new TrainerProcess(run, child, logUntilEnd(child, paths));
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The end of what it printed as errors. */
  get lastErrors(): string {
    return this.errors.trim();
  }

  private follow(text: string): void {
    const steps = [...text.matchAll(/step (\d+)\//g)].at(-1)?.[1];
    if (steps) this.steps = Number(steps);
  }
}

/** Logs a process and keeps its pid file until its end. */
async function logUntilEnd(child: ChildProcess, paths: ReturnType<typeof pathsOf>): Promise<void> {
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

/** Lets other processes of the machine go first. */
function lower(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // it has ended already, or this machine has no priorities: it trains all the same
  }
}
