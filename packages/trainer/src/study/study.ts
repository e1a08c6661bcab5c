import { once } from 'node:events';
import { connect } from 'node:net';
import { printable } from '@evenkeel/protocol';
import { duration } from '../progress.ts';
import { UsageError } from '../usage-error.ts';
import { readRecording } from './recording.ts';
import { checkFolder, checkSettings, pathsOf } from './run-folder.ts';
import { stateOf } from './run-state.ts';
import type { PlannedRun, Study } from './study-file.ts';
import { type Destination, TrainerProcess } from './trainer-process.ts';

/** A line as often as this, in milliseconds. */
const TELL_INTERVAL = 10_000;
const TELL_INTERVAL_TERMINAL = 1_000;

export interface StudyOptions extends Destination {
  /** The folder that all is kept in. */
  out: string;
  /** Runs at a time. */
  parallel: number;
}

/** How a study ended: by itself, with so many runs that broke down, or by a signal. */
export interface StudyEnd {
  broken: number;
  signal: NodeJS.Signals | null;
}

/**
 * Trains what is not done yet of a study.
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
  /** Steps made in former sittings. */
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
  private broken = 0;
  private signal: NodeJS.Signals | null = null;
  private readonly beganAt = Date.now();
  /** Of runs that have ended, what this sitting did, see {@link work}. */
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
    const interval = setInterval(() => this.tell(), process.stdout.isTTY ? TELL_INTERVAL_TERMINAL : TELL_INTERVAL);
    try {
      await Promise.all(Array.from({ length: parallel }, () => this.work()));
    } finally {
      clearInterval(interval);
      for (const signal of signals) process.off(signal, this.interrupt);
    }
    return { broken: this.broken, signal: this.signal };
  }

  /** Tells what is done from what is to do; the longest first, so that none is left alone at the end. */
  private async sort(): Promise<void> {
    for (const run of this.study.runs) {
      const recording = await readRecording(pathsOf(this.options.out, run).recording);
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
    const recording = await readRecording(pathsOf(out, next.run).recording);
    const state = stateOf(recording);
    if (state.kind === 'done' || state.kind === 'stopped') {
      this.done++;
      const how = recording?.finish?.reason ?? recording?.finish?.status;
      const took = duration((Date.now() - beganAt) / 1000);
      this.print(`${this.done}/${this.study.runs.length} ${next.run.name}: ${how}, ${took}`);
    } else if (!this.signal) {
      this.broken++;
      const why = 'reason' in state ? state.reason : 'it did not begin';
      this.print(`${next.run.name} broke down: ${trainer.lastWords || why}`);
    }
  }

  private readonly interrupt = (signal: NodeJS.Signals): void => {
    this.signal = signal;
    this.print(`${signal}: waiting for ${this.running.size} runs to keep what they have`);
    for (const { trainer } of this.running) trainer.kill(signal);
  };

  private tell(): void {
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

/** In steps of one block: what is beside the blocks is little, and the same for all. */
function workOf({ layers, steps }: PlannedRun, part = steps): number {
  return part * layers;
}

function workDone({ run, made, trainer }: Running): number {
  return workOf(run, Math.max(0, trainer.steps - made));
}

/** @throws UsageError where nobody listens: every run would wait for its server at its end. */
async function checkServer(server: string): Promise<void> {
  if (!URL.canParse(server)) throw new UsageError(`--server: ${server} is no address such as http://127.0.0.1:4870`);
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
