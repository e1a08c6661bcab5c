import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { runDescription, runId, time } from '@evenkeel/protocol';
import { z } from 'zod';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import type { Notices } from './notices.ts';

/** How long a change may wait to be written: what is lost with the process is sent again, which changes nothing. */
const SAVE_MS = 1_000;

const position = z.object({ bytes: z.int().min(0), state: z.unknown() });

const fileProgress = z.object({
  position,
  /** Bytes and time of the last change when it was read last: a file that has the same ones is not opened. */
  size: z.number(),
  modifiedAt: z.number(),
  /** Of bytes before the position, by which a file is recognized that was written again. */
  digest: z.string(),
  /** Of the first row, by which a file is recognized that was written again with the same rows. */
  firstRow: z.string().nullable(),
});
/** How far a file has been sent. */
export type FileProgress = z.infer<typeof fileProgress>;

const description = runDescription.pick({ name: true, config: true, tags: true, notes: true });

const runProgress = z.object({
  id: runId,
  project: runDescription.shape.project,
  description,
  /** The newest. */
  attempt: z.int().min(1),
  /** When that began. */
  startedAt: time,
  hasEnded: z.boolean(),
  /** Whether the next row is of the next attempt. */
  isNext: z.boolean(),
  /** How far its names have come, until it has ended. */
  reports: z.object({ steps: z.record(z.string(), z.number()), time: z.number() }),
  /** The position of a run whose files are rewritten. */
  rewritten: position.nullable(),
  /** By path. */
  files: z.record(z.string(), fileProgress),
});
/** How far a run has been sent. */
export type RunProgress = z.infer<typeof runProgress>;

const stateFile = z.object({ version: z.literal(1), server: z.string(), runs: z.record(z.string(), runProgress) });

interface StateOptions {
  path: string;
  server: string;
  runs: Record<string, RunProgress>;
  notices: Notices;
}

/** What `evenkeel watch` remembers: how far each file was when the server had acknowledged all before it. */
export class WatchState {
  readonly runs: Map<string, RunProgress>;
  readonly #path: string;
  readonly #server: string;
  readonly #notices: Notices;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor({ path, server, runs, notices }: StateOptions) {
    this.#path = path;
    this.#server = server;
    this.#notices = notices;
    this.runs = new Map(Object.entries(runs));
  }

  /** @throws Failure where the file is no such state, or that of another server. */
  static async load(path: string, server: string, notices: Notices): Promise<WatchState> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    const { runs, server: former } = text === null ? { runs: {}, server } : parseState(path, text);
    if (former !== server)
      throw new Failure(`${path} is the state of ${former}, not of ${server}: choose another --state`);
    return new WatchState({ path, server, runs, notices });
  }

  /** Writes the state soon. */
  changed(): void {
    this.#timer ??= setTimeout(() => void this.save().catch((error) => this.#retry(error)), SAVE_MS).unref();
  }

  /** Writes the state: the file has the former one, or this. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  /** A full disk, for one, has room again some time; until then a restart would send more again, which changes nothing. */
  #retry(error: unknown): void {
    this.#notices.show('state', `how far files are sent cannot be written, and is tried again: ${error}`);
    this.changed();
  }

  async #write(): Promise<void> {
    const state: z.infer<typeof stateFile> = { version: 1, server: this.#server, runs: Object.fromEntries(this.runs) };
    await mkdir(dirname(this.#path), { recursive: true });
    const temporary = `${this.#path}.${process.pid}.tmp`;
    {
      await using file = await open(temporary, 'w');
      await file.writeFile(JSON.stringify(state));
      await file.sync();
    }
    await rename(temporary, this.#path);
  }
}

function parseState(path: string, text: string): z.infer<typeof stateFile> {
  try {
    return stateFile.parse(JSON.parse(text));
  } catch {
    throw new Failure(
      `${path} is no state of "evenkeel watch": delete it to send everything again, which doubles nothing`,
    );
  }
}

/** The state of those who watch the same folders for the same server and project. */
export function defaultStatePath(server: string, project: string | undefined, folders: readonly string[]): string {
  const which = createHash('sha256')
    .update(JSON.stringify([server, project ?? null, folders.toSorted()]))
    .digest('hex');
  return join(
    environment.stateHome ?? join(homedir(), '.local', 'state'),
    'evenkeel',
    `watch-${which.slice(0, 16)}.json`,
  );
}
