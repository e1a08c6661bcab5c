import { once } from 'node:events';
import { connect } from 'node:net';
import { printable } from '@evenkeel/protocol';
import { duration, UsageError } from '@evenkeel/trainer';
import { checkFolder, checkSettings, pathsOf } from './run-folder.ts';
import { stateOf } from './run-state.ts';
import type { PlannedRun, Study } from './study-file.ts';
import { readTrainedRun } from './trained-run.ts';
import { type Destination, TrainerProcess } from './trainer-process.ts';

/** Milliseconds between two lines of progress. */
const PRINT_INTERVAL = 10_000;
const PRINT_INTERVAL_TERMINAL = 1_000;

export interface StudyOptions extends Destination {
  /** The folder of the study. */
  out: string;
  /** Runs at a time. */
  parallel: number;
}

/** How a study ended: with so many runs that failed, or by a signal. */
export interface StudyEnd {
  failed: number;
  signal: NodeJS.Signals | null;
}

/**
 * Trains the runs of a study that have no result yet.
 * @throws UsageError before anything is trained.
 */
export async function runStudy(study: Study, options: StudyOptions): Promise<StudyEnd> {
  for (const run of study.runs) {
    await checkSettings(run);
    await checkFolder(study, options.out, run);
  }
  if (options.server !== null) await checkServer(options.server);
  return new StudyInProgress(study, options).complete();
}

/** A run that waits for its turn. */
interface Waiting {
  run: PlannedRun;
  /** Steps done in earlier starts of the study. */
  made: number;
}

interface Running extends Waiting {
  trainer: TrainerProcess;
}

class StudyInProgress {
  private readonly study: Study;
  private readonly options: StudyOptions;
  private waiting: Waiting[] = [];
  private readonly running = new Set<Running>();
  private done = 0;
  private failed = 0;
  private signal: NodeJS.Signals | null = null;
  private readonly beganAt = Date.now();
  /** The work of this start on runs that have ended, see {@link workOf}. */
  private worked = 0;

  constructor(study: Study, options: StudyOptions) {
    this.study = study;
    this.options = options;
  }

  async complete(): Promise<StudyEnd> {
    await this.sort();
    const { parallel } = this.options;
    console.log(
      `${this.study.runs.length} runs: ${this.done} done, ${this.waiting.length} to go, ${parallel} at a time`,
    );
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.on(signal, this.interrupt);
    const interval = setInterval(
      () => this.printProgress(),
      process.stdout.isTTY ? PRINT_INTERVAL_TERMINAL : PRINT_INTERVAL,
    );
    try {
      await Promise.all(Array.from({ length: parallel }, () => this.work()));
    } finally {
      clearInterval(interval);
      for (const signal of signals) process.off(signal, this.interrupt);
    }
    return { failed: this.failed, signal: this.signal };
  }

  /** Finds the runs to train and sorts them, the longest first, so that none is left alone at the end. */
  private async sort(): Promise<void> {
    for (const run of this.study.runs) {
      const recording = await readTrainedRun(pathsOf(this.options.out, run).recording);
      const { kind } = stateOf(recording);
      if (kind === 'done' || kind === 'stopped') this.done++;
      else this.waiting.push({ run, made: recording?.steps.length ?? 0 });
    }
    this.waiting.sort((a, b) => workOf(b.run) - workOf(a.run));
  }

  /** Trains one run after the other. */
  private async work(): Promise<void> {
    for (let next = this.waiting.shift(); next && !this.signal; next = this.waiting.shift()) await this.train(next);
  }

  private async train(next: Waiting): Promise<void> {
    const { out } = this.options;
    const beganAt = Date.now();
    const trainer = await TrainerProcess.start(this.study, out, next.run, this.options);
    const running = { ...next, trainer };
    this.running.add(running);
    if (this.signal) trainer.kill(this.signal); // it came while the process was started
    await trainer.ended;
    this.running.delete(running);
    this.worked += workDone(running);
    const recording = await readTrainedRun(pathsOf(out, next.run).recording);
    const state = stateOf(recording);
    if (state.kind === 'done' || state.kind === 'stopped') {
      this.done++;
      const how = recording?.finish?.reason ?? recording?.finish?.status;
      const took = duration((Date.now() - beganAt) / 1000);
      this.print(`${this.done}/${this.study.runs.length} ${next.run.name}: ${how}, ${took}`);
    } else if (!this.signal) {
      this.failed++;
      const why = 'reason' in state ? state.reason : 'it did not start';
      this.print(`${next.run.name} failed: ${trainer.lastErrors || why}`);
    }
  }

  private readonly interrupt = (signal: NodeJS.Signals): void => {
    this.signal = signal;
    this.print(`${signal}: waiting for ${this.running.size} runs to write their checkpoints`);
    for (const { trainer } of this.running) trainer.kill(signal);
  };

  private printProgress(): void {
    const each = [...this.running].map(({ run, trainer }) => `${run.name}: step ${trainer.steps}/${run.steps}`);
    const line = printable([`${this.done}/${this.study.runs.length} done`, ...each, ...this.timeLeft()].join(' | '));
    if (!process.stdout.isTTY) console.log(line);
    else process.stdout.write(`\r${line.slice(0, process.stdout.columns - 1)}\x1b[K`);
  }

  /** Prints a line that stays. */
  private print(words: string): void {
    const line = printable(words);
    console.log(process.stdout.isTTY ? `\r${line}\x1b[K` : line);
  }

  private timeLeft(): string[] {
    const running = [...this.running];
    const worked = running.reduce((sum, each) => sum + workDone(each), this.worked);
    if (worked === 0) return [];
    const waiting = this.waiting.reduce((sum, { run, made }) => sum + workOf(run, run.steps - made), 0);
    const left = running.reduce((sum, { run, trainer }) => sum + workOf(run, run.steps - trainer.steps), waiting);
    return [`${duration(((Date.now() - this.beganAt) / 1000) * (left / worked))} left`];
  }
}

/** In steps of one block: the rest of a model is small, and the same for all. */
function workOf({ layers, steps }: PlannedRun, part = steps): number {
  return part * layers;
}

function workDone({ run, made, trainer }: Running): number {
  return workOf(run, Math.max(0, trainer.steps - made));
}

/** @throws UsageError where no server listens: every run would wait for it at its end. */
async function checkServer(server: string): Promise<void> {
  const { hostname, port, protocol } = new URL(server);
  const socket = connect({ host: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) });
  try {
    await once(socket, 'connect');
  } catch {
    throw new UsageError(
      `no answer from ${server}: start one with "evenkeel serve", name another with --server, or give --offline`,
    );
  } finally {
    socket.destroy();
  }
}
