import { createWriteStream } from 'node:fs';
import { access, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { attemptNumber, parse, printable, runId } from '@evenkeel/protocol';
import { action, flag } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { serverFlag } from '../common-flags.ts';
import { Failure } from '../failure.ts';
import { readApi } from '../http-api.ts';

const PROGRESS_MS = 2_000;
/** Characters of a run's name that its files have. */
const MAX_FILE_NAME = 100;
const STDOUT = '-';

const flags = z.object({
  project: flag(z.string().optional(), { value: '<name>', help: 'every run of this project that is not archived' }),
  format: flag(z.enum(['parquet', 'csv', 'jsonl']).default('parquet'), {
    value: '<format>',
    help: 'parquet or csv: a table of the steps; jsonl: a recording, which "evenkeel import" reads',
  }),
  attempt: flag(attemptNumber.optional(), {
    value: '<n>',
    help: 'all that this attempt stored, in place of the timeline',
    conflicts: ['project'],
  }),
  out: flag(z.string().min(1).default('.'), {
    value: '<path>',
    help: 'a folder, for a file of each run and its NAME.run.json; of one run also a file, whose name has a dot, or - for the standard output',
  }),
  server: serverFlag,
});
type Flags = z.output<typeof flags>;

export function exportCommand(): Command {
  const command = new Command('export')
    .description('write runs to files: their steps, and beside them config, alerts, commands and events')
    .argument('[run...]', 'ids that "evenkeel runs" shows');
  return action(command, flags, async (given, runs: string[]) => {
    const ids = await idsOf(given, runs);
    const target = await targetOf(given.out, given.project === undefined && ids.length === 1);
    await exportAll(ids, target, given);
  });
}

/** @throws Failure where no run is named, or one is named in two ways. */
async function idsOf({ project, server }: Flags, runs: readonly string[]): Promise<string[]> {
  if ((project === undefined) === (runs.length === 0)) throw new Failure('name runs by their ids, or a --project');
  if (project === undefined) return parse(z.object({ run: z.array(runId) }), { run: [...new Set(runs)] }).run;
  const ids = await readProject(server, project);
  if (ids.length === 0) throw new Failure(`there are no runs in ${project}`);
  return ids;
}

const runPage = z.object({ runs: z.array(z.object({ id: runId })), nextCursor: z.string().nullable() });

async function readProject(server: string, project: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const search: Record<string, string> = { project, limit: '200', ...(cursor === null ? {} : { cursor }) };
    const page = runPage.parse(await (await readApi(server, '/runs', search)).json());
    ids.push(...page.runs.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return ids;
}

/** Where runs go. */
type Target = { folder: string } | { file: string } | 'stdout';

async function targetOf(out: string, isOneRun: boolean): Promise<Target> {
  const isFolder = /[\\/]$/.test(out) || extname(out) === '' || (await stat(out).catch(() => null))?.isDirectory();
  if (!isOneRun && out === STDOUT) throw new Failure('--out -: several runs need a folder');
  if (out === STDOUT) return 'stdout';
  if (isOneRun && !isFolder) return { file: out };
  await mkdir(out, { recursive: true });
  return { folder: out };
}

async function exportAll(ids: readonly string[], target: Target, given: Flags): Promise<void> {
  const done = { runs: 0, bytes: 0 };
  const count = (bytes: number) => {
    done.bytes += bytes;
  };
  const timer = setInterval(
    () => report(`${done.runs} of ${ids.length} runs, ${megabytes(done.bytes)} so far`),
    PROGRESS_MS,
  );
  const names = new FileNames();
  try {
    for (const id of ids) {
      const path = await exportRun(id, { target, names, given, count });
      done.runs += 1;
      if (path !== null) console.log(printable(path));
    }
  } finally {
    clearInterval(timer);
  }
}

interface Export {
  target: Target;
  names: FileNames;
  given: Flags;
  /** Takes how many bytes were written since it was last called. */
  count: (bytes: number) => void;
}

/** @returns the path of its file; null where it was written to the standard output. */
async function exportRun(id: string, { target, names, given, count }: Export): Promise<string | null> {
  const open = () => openSteps(id, given);
  if (target === 'stdout') {
    await pipeline(counted(await open(), count), process.stdout, { end: false });
    return null;
  }
  if ('file' in target) return writeWhole(target.file, counted(await open(), count));
  const facts = await (await readApi(given.server, `/runs/${id}/facts`)).text();
  const stem = join(target.folder, names.of(id, named.parse(JSON.parse(facts)).run.name));
  const path = await writeWhole(`${stem}.${given.format}`, counted(await open(), count));
  await writeFile(`${stem}.run.json`, `${facts}\n`);
  return path;
}

const named = z.object({ run: z.object({ name: z.string() }) });

/** The stream of the answer itself: a Node.js stream made of it would end the process where it breaks off unread. */
async function openSteps(id: string, { server, format, attempt }: Flags): Promise<AsyncIterable<Uint8Array>> {
  const search = { format, ...(attempt === undefined ? {} : { attempt: String(attempt) }) };
  const { body } = await readApi(server, `/runs/${id}/export`, search);
  if (!body) throw new Failure(`${server} sends nothing of ${id}`);
  return body;
}

async function* counted(source: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source) {
      count(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw new Failure(`the server broke off: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Writes a file that has its name only once all of it is there.
 * @throws Failure where there is such a file already.
 */
async function writeWhole(path: string, source: AsyncIterable<Uint8Array>): Promise<string> {
  if (await isThere(path)) throw new Failure(`${path} exists already: remove it, or name another place with --out`);
  const part = `${path}.part`;
  try {
    await pipeline(source, createWriteStream(part));
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  return path;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Names of files for runs, of which many may have one name. */
class FileNames {
  /** In lower case: some file systems know no other. */
  readonly #given = new Set<string>();

  of(id: string, name: string): string {
    const plain = name
      .replaceAll(/[^\p{L}\p{N}._ -]+/gu, '_')
      .replace(/^\./, '_')
      .slice(0, MAX_FILE_NAME);
    const free = this.#given.has(plain.toLowerCase()) ? `${plain}.${id}` : plain;
    this.#given.add(free.toLowerCase());
    return free;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function report(message: string): void {
  console.error(printable(`evenkeel: ${message}`));
}
