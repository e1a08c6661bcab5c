import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { FILE_FORMATS } from '@evenkeel/readers';
import { eventFile } from '@evenkeel/readers/sample/event-file';
import { residentBytes } from '../bench/process-usage.ts';
import { BenchServer } from '../bench/server.ts';
import { THIS_BUILD } from '../bench/tree.ts';
import { Failure } from '../failure.ts';

const SAMPLE_MS = 50;
/** As the import reads. */
const CHUNK_BYTES = 64 * 1024;
const STARTED_AT = 1_700_000_000;
const TAGS = ['train/loss', 'train/grad_norm', 'train/learning_rate'];

/** Event files, a folder for each run. */
export interface EventFiles {
  folder: string;
  paths: string[];
  bytes: number;
}

/** How one way of reading the files went. */
export interface Measured {
  what: 'decode' | 'import --dry-run' | 'import';
  megabytesPerSecond: number;
  /** Scalars. */
  valuesPerSecond: number;
  /** Resident, of the process that reads, in bytes; null where it is the bench itself. */
  peakBytes: number | null;
  loadAverage: number[];
}

/** @param bytes of all runs together. @param tags of each step. */
export async function writeEventFiles(
  folder: string,
  { bytes, runs, tags }: { bytes: number; runs: number; tags: number },
): Promise<EventFiles> {
  const names = [...TAGS, ...Array.from({ length: tags }, (_, at) => `layers/${at}/norm`)].slice(0, tags);
  const paths: string[] = [];
  for (let run = 0; run < runs; run++) {
    const path = join(folder, `run-${run}`, `events.out.tfevents.${STARTED_AT}.bench.1.0`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, eventFile(bytes / runs, names, STARTED_AT));
    paths.push(path);
  }
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return { folder, paths, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Decodes, reads as an import does without a server, and imports into a server over a new database. */
export async function* measureFiles(files: EventFiles, dataDir: string, databaseUrl: string | null) {
  const decoding = performance.now();
  const values = await decodeAll(files);
  const measured = (what: Measured['what'], elapsedMs: number, peakBytes: number | null): Measured => ({
    what,
    megabytesPerSecond: files.bytes / 1e3 / elapsedMs,
    valuesPerSecond: (1_000 * values) / elapsedMs,
    peakBytes,
    loadAverage: loadavg(),
  });
  yield measured('decode', performance.now() - decoding, null);
  const dry = await runImport([files.folder, '--dry-run']);
  yield measured('import --dry-run', dry.elapsedMs, dry.peakBytes);
  await using server = await BenchServer.start({ tree: THIS_BUILD.tree, dataDir, databaseUrl });
  const imported = await runImport([files.folder, '--server', server.url]);
  yield measured('import', imported.elapsedMs, imported.peakBytes);
}

/** @returns how many scalars they have. */
async function decodeAll({ paths }: EventFiles): Promise<number> {
  const format = FILE_FORMATS.find(({ name }) => name === 'tensorboard');
  if (!format) throw new Error('no format reads event files');
  let values = 0;
  for (const path of paths) {
    const decoder = format.decode(null);
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }))
      for (const found of decoder.push(chunk)) if (found.kind === 'row') values += 1;
    const [lost] = decoder.end();
    if (lost) throw new Error(`${path} did not read to its end: ${JSON.stringify(lost)}`);
  }
  return values;
}

async function runImport(args: readonly string[]): Promise<{ elapsedMs: number; peakBytes: number }> {
  const began = performance.now();
  const program = join(THIS_BUILD.tree, 'apps/cli/bin/evenkeel.mjs');
  const child = spawn(process.execPath, [program, 'import', ...args, '--json'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peakBytes = 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(child.pid ?? 0) ?? 0);
  }, SAMPLE_MS);
  try {
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Failure(`the import ended with exit code ${code}`);
    return { elapsedMs: performance.now() - began, peakBytes };
  } finally {
    clearInterval(timer);
  }
}
