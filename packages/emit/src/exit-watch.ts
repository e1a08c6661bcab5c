import { constants } from 'node:os';
import { wordsOf } from './words-of.ts';

/** A run that the end of the process may end. */
export interface ExitingRun {
  /** Whether an exception or a signal ends the run. */
  readonly handlesExit: boolean;
  /** Writes what is pending before it returns. */
  save: () => void;
  /** The process ends by an error: writes what is pending, and that, before it returns. */
  fail: (reason: string) => void;
  /** The process has been asked to end: resolves soon, whatever the server does. */
  stop: (signal: string) => Promise<unknown>;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** Milliseconds that a signal sent again may take to end the process: as process 1 of a container it never does. */
const DEATH_TIME = 1_000;
/** Marks listeners of this package, of which a process may hold several copies. */
const OURS = Symbol.for('evenkeel.exit-watch');

const runs = new Set<ExitingRun>();
let isListening = { exit: false, signals: false };
/** A signal has come, and the runs are being ended. */
let isEnding = false;

/** From now on until it is removed, the end of the process is not lost on a run. */
export function watchExit(run: ExitingRun): void {
  runs.add(run);
  updateListeners();
}

export function unwatchExit(run: ExitingRun): void {
  runs.delete(run);
  if (!isEnding) updateListeners();
}

/** Listens to as little as the open runs need: a listener to a signal changes what the signal does. */
function updateListeners(): void {
  const wanted = { exit: runs.size > 0, signals: handlingRuns().length > 0 };
  if (wanted.exit !== isListening.exit) {
    const change = wanted.exit ? 'on' : 'off';
    process[change]('exit', onExit);
    process[change]('uncaughtExceptionMonitor', onException);
  }
  if (wanted.signals !== isListening.signals) {
    // In front, so as to see whether the process itself listens, also where it does so once.
    const change = wanted.signals ? 'prependListener' : 'off';
    for (const signal of SIGNALS) process[change](signal, onSignal);
  }
  isListening = wanted;
}

function handlingRuns(): ExitingRun[] {
  return [...runs].filter(({ handlesExit }) => handlesExit);
}

function onExit(): void {
  for (const run of runs) run.save();
}

/** Node prints the error and exits once this has returned, unless the process handles such errors itself. */
function onException(error: unknown): void {
  if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) return;
  for (const run of handlingRuns()) run.fail(wordsOf(error));
}

const onSignal = Object.assign(
  (signal: NodeJS.Signals): void => {
    if (isHandledElsewhere(signal)) return;
    const stopped = isEnding ? [] : handlingRuns().map((run) => run.stop(signal)); // a second signal waits for nothing
    isEnding = true;
    void Promise.all(stopped).then(() => die(signal));
  },
  { [OURS]: true },
);

function isHandledElsewhere(signal: NodeJS.Signals): boolean {
  const others = process.listeners(signal).filter((listener) => !(OURS in listener));
  return others.length > signalExitListeners();
}

/** The package signal-exit, in many programs unseen, ends the process itself, but only where nobody else listens. */
function signalExitListeners(): number {
  const emitter =
    Reflect.get(globalThis, Symbol.for('signal-exit emitter')) ?? Reflect.get(process, '__signal_exit_emitter__');
  const { count } = Object(emitter);
  return typeof count === 'number' ? count : 0;
}

/** Ends the process by the signal, as if nobody had listened. */
function die(signal: NodeJS.Signals): void {
  onExit(); // there is no such event where a signal ends a process
  for (const each of SIGNALS) process.off(each, onSignal);
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(128 + constants.signals[signal]), DEATH_TIME);
}
