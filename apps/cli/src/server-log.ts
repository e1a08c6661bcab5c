import { Console } from 'node:console';
import type { startServer } from '@evenkeel/dashboard/server';
import { errorLine } from './error-line.ts';

type Log = Parameters<typeof startServer>[1];

const WINDOW_MS = 10_000;
/** Distinct lines that are remembered at a time; further ones are only counted. */
const MAX_DISTINCT = 200;
/** Parts in which repeats of one failure differ: ids and numbers. */
const VARYING = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\d+/gi;

/** Not the global console, which is the server's to redirect while it runs. */
const { error: printOnStandardError } = new Console(process.stderr);

interface Options {
  print?: (line: string) => void;
  now?: () => Date;
  /** How long repeats are counted before their number is printed, in milliseconds. */
  windowMs?: number;
}

/**
 * The server's log on standard error. Every entry is one line; the same one again, but for ids and numbers, is counted,
 * and the count is printed once per window and at the end.
 */
export class ServerLog {
  readonly #print: (line: string) => void;
  readonly #now: () => Date;
  readonly #windowMs: number;
  readonly #seen = new Map<string, { line: string; repeats: number }>();
  /** Entries of this window that were neither printed nor remembered. */
  #leftOut = 0;
  #window: { since: Date; timer: NodeJS.Timeout } | null = null;

  constructor({ print = printOnStandardError, now = () => new Date(), windowMs = WINDOW_MS }: Options = {}) {
    this.#print = print;
    this.#now = now;
    this.#windowMs = windowMs;
  }

  /** The function that the server logs with. */
  readonly write: Log = (level, message, error) => {
    this.#window ??= this.#openWindow();
    const line = `${level} ${errorLine(message, error)}`;
    const key = line.replace(VARYING, '#');
    const known = this.#seen.get(key);
    if (known) known.repeats += 1;
    else if (this.#seen.size >= MAX_DISTINCT) this.#leftOut += 1;
    else {
      this.#seen.set(key, { line, repeats: 0 });
      this.#printLine(line);
    }
  };

  /** Prints what has been counted so far. */
  flush(): void {
    if (!this.#window) return;
    clearTimeout(this.#window.timer);
    const seconds = Math.max(1, Math.round((this.#now().getTime() - this.#window.since.getTime()) / 1000));
    const when = `in the last ${seconds} s`;
    for (const [key, entry] of this.#seen) {
      if (entry.repeats === 0) this.#seen.delete(key);
      else this.#printLine(`${entry.line} (${entry.repeats} more ${when})`);
      entry.repeats = 0;
    }
    if (this.#leftOut > 0) this.#printLine(`error ${this.#leftOut} other lines ${when} are left out`);
    this.#leftOut = 0;
    // What keeps repeating stays known, so that it is one line per window and not two.
    this.#window = this.#seen.size > 0 ? this.#openWindow() : null;
  }

  #openWindow(): { since: Date; timer: NodeJS.Timeout } {
    return { since: this.#now(), timer: setTimeout(() => this.flush(), this.#windowMs).unref() };
  }

  #printLine(line: string): void {
    this.#print(`${this.#now().toISOString()} ${line}`);
  }
}

/** A log whose counts are printed at the latest when the process ends. */
export function openServerLog(): ServerLog {
  const log = new ServerLog();
  process.once('exit', () => log.flush());
  return log;
}
