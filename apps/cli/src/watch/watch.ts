import { once } from 'node:events';
import { lstat, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { FileFormat } from '@evenkeel/readers';
import { filesBelow, watchFiles } from './finder.ts';
import { RunFollower } from './run-follower.ts';
import { type Destination, RunRefused } from './sender.ts';
import { type Source, sourceOf } from './source.ts';
import type { WatchState } from './state.ts';

/** Runs that are connected to the server at once; further ones wait until one of them has ended. */
const MAX_OPEN = 500;
/** Runs that are read at once. */
const MAX_READING = 8;
/** A folder is read again so often, since a system may not report every change. */
const RESCAN_MS = 30_000;
/** The longest time between two looks for runs that have ended. */
const MAX_SWEEP_MS = 10_000;

export interface WatchOptions {
  folders: readonly string[];
  formats: readonly FileFormat[];
  project: string | undefined;
  /** A run whose files have not changed for so long has ended. */
  endedAfterMs: number;
  /** Folders are read again so often, and the system is not asked to report changes; null where it is. */
  pollMs: number | null;
  state: WatchState;
  destination: Destination;
  print: (line: string) => void;
}

/** Follows files below some folders. */
export class Watch {
  readonly #options: WatchOptions;
  /** By path; null for a file that is of no format. */
  readonly #sources = new Map<string, Source | null>();
  readonly #runs = new Map<string, RunFollower>();
  /** Runs whose files have changed, in that order. */
  readonly #changed = new Set<RunFollower>();
  readonly #busy = new Set<RunFollower>();
  /** Those that are not followed any further: the server refuses them, or a file broke its reader. */
  readonly #setAside = new Set<RunFollower>();
  #whenIdle: (() => void)[] = [];
  /** The reading of all folders that is under way. */
  #scanning: Promise<void> | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** How many runs are not followed any further, for the reasons that were printed. */
  get setAside(): number {
    return this.#setAside.size;
  }

  /** Sends all that is there, and ends the runs that have ended. */
  async once(): Promise<void> {
    await this.#scan();
    await this.#forget();
    this.#work();
    if (this.#busy.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Follows the files until the command ends. */
  async follow(): Promise<void> {
    const { folders, pollMs, endedAfterMs, destination } = this.#options;
    const { signal, notices } = destination;
    const onError = (error: unknown) =>
      notices.show('watcher', `changes are seen late, as the system does not report them (${error}); see --poll`);
    const onFile = (path: string) => void this.#look(path).then(() => this.#work());
    const close = pollMs === null ? watchFiles(folders, { onFile, onError }) : null;
    const rescan = setInterval(() => void this.#scan().then(() => this.#work()), pollMs ?? RESCAN_MS);
    const sweep = setInterval(() => this.#work(), Math.min(endedAfterMs / 4, MAX_SWEEP_MS));
    try {
      await this.once();
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      clearInterval(rescan);
      clearInterval(sweep);
      await close?.();
    }
  }

  /** One at a time, as on a slow file system it may take longer than until the next is due. */
  #scan(): Promise<void> {
    this.#scanning ??= this.#scanFolders().finally(() => {
      this.#scanning = null;
    });
    return this.#scanning;
  }

  async #scanFolders(): Promise<void> {
    for (const folder of this.#options.folders) {
      for await (const path of filesBelow(folder)) await this.#look(path);
    }
  }

  /** A file is there, or may have changed. */
  async #look(path: string): Promise<void> {
    try {
      const found = await lstat(path);
      if (!found.isFile()) return; // a link is another name of what is there already
      const { size, mtimeMs } = found;
      const source = await this.#sourceOf(path, size);
      if (!source) return;
      const run = this.#runOf(source);
      if (run.add(source, { size, mtimeMs })) this.#changed.add(run);
    } catch (error) {
      this.#reportFile(path, error);
    }
  }

  async #sourceOf(path: string, size: number): Promise<Source | null> {
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const folder = this.#options.folders.find((each) => path.startsWith(join(each, sep))) as string;
    const source = await sourceOf(path, folder, this.#options.formats);
    // What a file is may show only once it holds more.
    if (source || size >= MIN_RECOGNIZED_BYTES) this.#sources.set(path, source);
    return source;
  }

  #runOf(source: Source): RunFollower {
    const known = this.#runs.get(source.key);
    if (known) return known;
    const run = new RunFollower({ ...this.#options, source });
    this.#runs.set(source.key, run);
    return run;
  }

  /** Forgets runs all of whose files are gone. */
  async #forget(): Promise<void> {
    const { runs } = this.#options.state;
    for (const [key, { files }] of runs) {
      const found = this.#runs.has(key) ? [] : await Promise.allSettled(Object.keys(files).map((path) => stat(path)));
      if (!this.#runs.has(key) && found.every(({ status }) => status === 'rejected')) runs.delete(key);
    }
  }

  /** Reads what has changed, and ends what has ended, as far as there is room. */
  #work(): void {
    if (this.#options.destination.signal.aborted) return;
    for (const run of this.#changed) {
      if (!this.#hasRoom(run)) continue;
      this.#changed.delete(run);
      this.#occupy(run, run.read());
    }
    const time = Date.now() - this.#options.endedAfterMs;
    const reason = `its files have not changed for ${minutes(this.#options.endedAfterMs)}`;
    for (const run of this.#runs.values()) {
      const isSilent = !this.#changed.has(run) && run.isSilentSince(time);
      if (isSilent && this.#hasRoom(run)) this.#occupy(run, run.end(reason));
    }
  }

  #hasRoom(run: RunFollower): boolean {
    if (this.#busy.has(run) || this.#setAside.has(run) || this.#busy.size >= MAX_READING) return false;
    if (run.isOpen) return true;
    let open = 0;
    for (const each of this.#runs.values())
      if (!this.#setAside.has(each) && (each.isOpen || this.#busy.has(each))) open += 1;
    return open < MAX_OPEN;
  }

  #occupy(run: RunFollower, work: Promise<void>): void {
    this.#busy.add(run);
    void work
      .catch((error) => this.#onFailure(run, error))
      .then(() => {
        this.#busy.delete(run);
        this.#work();
        if (this.#busy.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
      });
  }

  #onFailure(run: RunFollower, error: unknown): void {
    const { signal, notices } = this.#options.destination;
    if (signal.aborted) return;
    if (isFileError(error)) this.#reportFile(error.path ?? '', error);
    else {
      this.#setAside.add(run);
      const reason = error instanceof RunRefused ? error.message : `${run.name} is not followed any further: ${error}`;
      notices.show(reason, reason);
    }
  }

  /** A file that is gone is nothing to report; one that cannot be read is tried again when folders are read again. */
  #reportFile(path: string, error: unknown): void {
    if (!isFileError(error)) throw error;
    this.#sources.delete(path);
    if (error.code !== 'ENOENT') this.#options.destination.notices.show(path, error.message);
  }
}

/** A file of fewer bytes may be recognized once it has more. */
const MIN_RECOGNIZED_BYTES = 4096;

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}

function minutes(milliseconds: number): string {
  const count = milliseconds / 60_000;
  return `${Number(count.toPrecision(3))} ${count === 1 ? 'minute' : 'minutes'}`;
}
