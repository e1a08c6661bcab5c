import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { MAX_NAME_LENGTH, MAX_TIME, MIN_STEP_TIME, runDescription, storableText } from '@evenkeel/protocol';
import { type Found, type RunFacts, StepRows } from '@evenkeel/readers';
import { counted } from '../counted.ts';
import { importedId } from '../import/run-id.ts';
import { FileReader } from './file-reader.ts';
import { addReport, isRewind, noReports, type Reports } from './reports.ts';
import { type Destination, Sender } from './sender.ts';
import type { Source } from './source.ts';
import type { FileProgress, RunProgress, WatchState } from './state.ts';

/** Bytes of a file after which the server must have acknowledged all before more is read. */
const COMMIT_BYTES = 8 * 1024 * 1024;
/** A file without a row in so many bytes is none of training, such as a text to train on. */
const MAX_ROWLESS_BYTES = 16 * 1024 * 1024;

type FoundRow = Found & { kind: 'row' };

export interface RunFollowerOptions {
  source: Source;
  /** The project, whatever the files say. */
  project: string | undefined;
  state: WatchState;
  destination: Destination;
  /** Called when the run begins to be sent, and when it has ended. */
  print: (line: string) => void;
}

/** Sends what the files of one run hold, as it comes. One call at a time. */
export class RunFollower {
  readonly #options: RunFollowerOptions;
  readonly #sources = new Map<string, Source>();
  /** Files that have changed since they were read. */
  readonly #changed = new Set<string>();
  /** When the file was last written that was last. */
  #lastChange = 0;
  /** Files that have had no row yet, while the run has none. */
  readonly #rowless = new Map<string, FileProgress>();
  /** Of them, those that are none of training. */
  readonly #passedOver = new Set<string>();
  #facts: RunFacts = {};
  #progress: RunProgress | null;
  #sender: Sender | null = null;
  /** What follows is of the next attempt, where the run has one already. */
  #isNext = false;
  #lastTime: number | null = null;
  /** Rows that were sent since this process has begun. */
  #rows = 0;

  constructor(options: RunFollowerOptions) {
    this.#options = options;
    this.#progress = options.state.runs.get(options.source.key) ?? null;
    this.#isNext = this.#progress?.isNext ?? false;
  }

  /** A file of the run is there, or has changed. @returns whether there is something to read. */
  add(source: Source, { size, mtimeMs }: { size: number; mtimeMs: number }): boolean {
    this.#sources.set(source.path, source);
    this.#lastChange = Math.max(this.#lastChange, mtimeMs);
    const known = this.#fileProgress(source.path);
    if (this.#passedOver.has(source.path)) return false;
    if (known?.size === size && known.modifiedAt === mtimeMs) return false;
    this.#changed.add(source.path);
    return true;
  }

  /** What people know it by. */
  get name(): string {
    return this.#progress?.description.name ?? this.#options.source.name;
  }

  /** Whether it is connected to the server. */
  get isOpen(): boolean {
    return this.#sender !== null;
  }

  /** Whether the run goes on, as far as is known, and nothing was written to its files since then. */
  isSilentSince(time: number): boolean {
    const isRunning = this.#progress !== null && !this.#progress.hasEnded;
    return isRunning && this.#lastChange < time;
  }

  /**
   * Reads what is new in its files, in the order of their names, and resolves once the server has it.
   * @throws RunRefused, the error of a file that cannot be read, and where the command ends before.
   */
  async read(): Promise<void> {
    for (const source of await this.#inOrder()) {
      this.#changed.delete(source.path);
      await this.#whereThere(source, () => this.#readFile(source));
    }
  }

  /** Ends the run where it has not: nothing was written for a while. Resolves to whether the server has received that. */
  async end(reason: string): Promise<void> {
    for (const source of this.#sources.values()) await this.#whereThere(source, () => this.#readTail(source));
    await this.#finish({ kind: 'end', status: 'finished', reason, endedAt: this.#lastTime ?? this.#lastChange });
    this.#remember();
  }

  /** Does something with a file, where that was not deleted meanwhile. */
  async #whereThere({ path }: Source, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      this.#sources.delete(path);
    }
  }

  /** Names, or times where each file holds the whole run. */
  async #inOrder(): Promise<Source[]> {
    const sources = [...this.#changed].toSorted().map((path) => this.#sources.get(path) as Source);
    if (!this.#options.source.format.isRewritten) return sources;
    const times = new Map<string, number>();
    for (const { path } of sources) {
      const found = await stat(path).catch(() => null);
      times.set(path, found?.mtimeMs ?? 0);
    }
    return sources.toSorted((one, other) => (times.get(one.path) ?? 0) - (times.get(other.path) ?? 0));
  }

  async #readFile({ path, format }: Source): Promise<void> {
    if (format.factsBeside) this.#learn(await format.factsBeside(path));
    await using reader = await this.#open(path);
    const known = this.#fileProgress(path);
    const isFurther = known === null && this.#progress !== null && !format.isRewritten;
    const reading = new Reading(known, reader, isFurther ? structuredClone(this.#progress?.reports ?? null) : null);
    let committed = reader.offset;
    for (let found = await reader.next(); found; found = await reader.next()) {
      await this.#take(found, reader, reading, path);
      if (!this.#progress && reader.offset > MAX_ROWLESS_BYTES) {
        this.#passedOver.add(path);
        return;
      }
      if (reader.offset - committed < COMMIT_BYTES) continue;
      await this.#commit(path, reader, reading);
      committed = reader.offset;
    }
    await this.#commit(path, reader, reading);
  }

  /** An incomplete record at the end of a file, which nothing will complete; the position stays before it. */
  async #readTail({ path }: Source): Promise<void> {
    await using reader = await this.#open(path);
    const reading = new Reading(this.#fileProgress(path), reader, null);
    if (reader.continuation !== 'further') return;
    for (let found = await reader.next(); found; found = await reader.next()) {
      await this.#take(found, reader, reading, path);
    }
    await this.#take(reader.end(), reader, reading, path);
    await this.#sender?.drained();
  }

  #open(path: string): Promise<FileReader> {
    const { format } = this.#options.source;
    const known = this.#fileProgress(path);
    if (!format.isRewritten)
      return FileReader.open(path, format, known, { from: known?.position ?? null, since: known?.modifiedAt ?? null });
    const times = Object.values(this.#progress?.files ?? {}).map(({ modifiedAt }) => modifiedAt);
    const since = times.length > 0 ? Math.max(...times) : null;
    return FileReader.open(path, format, null, { from: this.#progress?.rewritten ?? null, since });
  }

  #fileProgress(path: string): FileProgress | null {
    return this.#progress?.files[path] ?? this.#rowless.get(path) ?? null;
  }

  async #take(found: readonly Found[], reader: FileReader, reading: Reading, path: string): Promise<void> {
    for (const each of found) if (each.kind === 'run') this.#learn(each); // before a row among them starts the run
    const rows = new StepRows();
    const flush = async () => {
      for (const row of rows.flush()) await this.#send(row);
    };
    for (const [at, each] of found.entries()) {
      if (each.kind === 'lost') this.#report(path, each);
      else if (each.kind === 'row') {
        if (reading.beginsAttempt(each)) {
          await flush();
          this.#isNext = true;
        }
        const row = rows.add({
          ...each,
          time: validTime(each.time) ?? validTime(reader.timeAt((at + 1) / found.length)),
        });
        if (row) await this.#send(row);
      } else if (each.kind !== 'run' && each.kind !== 'console') {
        await flush();
        if (each.kind === 'attempt') this.#isNext = true;
        else await this.#finish(each);
      }
    }
    await flush();
  }

  async #send(row: FoundRow): Promise<void> {
    const time = row.time ?? Date.now();
    const { sender, progress } = await this.#attemptAt(time);
    addReport(progress.reports, row);
    this.#lastTime = time;
    this.#rows += 1;
    await sender.log({ step: row.step, time, custom: row.values });
  }

  #learn({ config, ...facts }: RunFacts): void {
    this.#facts = { ...this.#facts, ...facts, ...(config && { config: { ...this.#facts.config, ...config } }) };
  }

  #report(path: string, { what, count, reason }: Found & { kind: 'lost' }): void {
    this.#options.destination.notices.show(`${path} ${what} ${reason}`, `${path}: ${counted(count, what)}: ${reason}`);
  }

  /** Where rows go: the attempt that is under way, or the next one where that has ended. @param time of its first row */
  async #attemptAt(time: number): Promise<{ sender: Sender; progress: RunProgress }> {
    const former = this.#progress;
    const isNext = !former || former.hasEnded || this.#isNext;
    this.#isNext = false;
    if (!isNext) return { sender: this.#sender ?? (await this.#start(former)), progress: former };
    if (this.#sender && former) {
      const reason = `continued as attempt ${former.attempt + 1}`;
      await this.#finish({ kind: 'end', status: 'stopped', reason, endedAt: this.#lastTime });
    }
    const progress = this.#nextAttempt(former, time);
    this.#progress = progress;
    return { sender: await this.#start(progress), progress };
  }

  #nextAttempt(former: RunProgress | null, time: number): RunProgress {
    const { source, project: wanted } = this.#options;
    const description = this.#describe();
    const begin = { description, hasEnded: false, isNext: false, reports: noReports() };
    if (former) return { ...former, ...begin, attempt: former.attempt + 1, startedAt: time };
    const project = wanted ?? nameOf(this.#facts.project) ?? nameOf(basename(source.folder)) ?? 'watched';
    const id = importedId('evenkeel watch', project, `${hostname()} ${source.key}`);
    const startedAt = Math.min(validTime(this.#facts.startedAt ?? null) ?? time, time);
    const files = Object.fromEntries(this.#rowless);
    return { ...begin, id, project, attempt: 1, startedAt, rewritten: null, files };
  }

  async #start({ id, project, description, attempt, startedAt }: RunProgress): Promise<Sender> {
    const { destination, print, source } = this.#options;
    this.#sender = await Sender.start({ id, project, ...description, attempt, startedAt }, destination);
    print(`following ${project} / ${description.name} (${source.format.name}, attempt ${attempt}): run ${id}`);
    return this.#sender;
  }

  /** What is known of the run, without what a server would refuse. */
  #describe(): RunProgress['description'] {
    const { name, config, tags, notes } = this.#facts;
    const known = this.#progress?.description;
    const { shape } = runDescription;
    return {
      name: nameOf(name) ?? known?.name ?? nameOf(this.#options.source.name) ?? 'run',
      config: shape.config.safeParse(config).data ?? known?.config ?? {},
      tags: shape.tags.safeParse(tags).data ?? known?.tags ?? [],
      notes: shape.notes.safeParse(notes).data ?? known?.notes ?? '',
    };
  }

  /** Remembers how far a file is read, once the server has all of that. */
  async #commit(path: string, reader: FileReader, reading: Reading): Promise<void> {
    await this.#sender?.drained();
    const progress = this.#progress;
    const file = await reader.progress(reading.firstRow);
    if (!progress) {
      this.#rowless.set(path, file);
      return;
    }
    if (this.#options.source.format.isRewritten) progress.rewritten = file.position;
    progress.files[path] = file;
    this.#remember();
  }

  /** The attempt and the positions of the files are remembered together: one is never ahead of the other. */
  #remember(): void {
    if (!this.#progress) return;
    const progress = { ...this.#progress, isNext: this.#isNext, files: { ...this.#progress.files } };
    this.#options.state.runs.set(this.#options.source.key, progress);
    this.#options.state.changed();
  }

  async #finish({ status, reason, endedAt }: Found & { kind: 'end' }): Promise<void> {
    const progress = this.#progress;
    if (!progress || progress.hasEnded) return;
    const sender = this.#sender ?? (await this.#start(progress));
    await sender.drained();
    this.#sender = null;
    if (!(await sender.finish(status, reason, validTime(endedAt) ?? this.#lastTime))) return;
    progress.hasEnded = true;
    progress.reports = noReports();
    const { project, description } = progress;
    this.#options.print(
      `${project} / ${description.name}: ${status}, ${counted(this.#rows, 'rows')}${reason ? ` (${reason})` : ''}`,
    );
    this.#rows = 0;
  }
}

/** What is seen of a file while it is read. */
class Reading {
  readonly #reader: FileReader;
  /** The first row of the file that was read there before. */
  readonly #formerFirst: string | null;
  /** What the files before a further one reported. */
  #before: Reports | null;
  firstRow: string | null;

  constructor(known: FileProgress | null, reader: FileReader, before: Reports | null) {
    this.#reader = reader;
    this.#before = before;
    this.#formerFirst = known?.firstRow ?? null;
    this.firstRow = reader.continuation === 'further' ? this.#formerFirst : null;
  }

  /** Whether a row is the first of another attempt, as the file or those before it show. */
  beginsAttempt(row: FoundRow): boolean {
    if (this.#isFirstOfAnother(row)) return true;
    if (!this.#before || !isRewind(this.#before, row)) return false;
    this.#before = null;
    return true;
  }

  /**
   * Whether it is the first of a file that was written again, by another attempt: a file that only grew columns, as that
   * of Lightning's CSVLogger does, begins with the same row.
   */
  #isFirstOfAnother({ step, time, values }: FoundRow): boolean {
    if (this.firstRow !== null) return false;
    this.firstRow = createHash('sha256')
      .update(JSON.stringify([step, time, values]))
      .digest('base64');
    if (this.#reader.continuation === 'next') return true;
    return this.#reader.continuation === 'again' && this.firstRow !== this.#formerFirst;
  }
}

function validTime(time: number | null): number | null {
  return time !== null && time >= MIN_STEP_TIME && time <= MAX_TIME ? time : null;
}

function nameOf(text: string | undefined): string | null {
  return text ? storableText(text, MAX_NAME_LENGTH) : null;
}
