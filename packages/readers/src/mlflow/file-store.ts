import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Found, StoredRun } from '../format.ts';
import { Losses } from '../losses.ts';
import { configOf, endOf, factsOf, type Texts } from './facts.ts';
import { merged } from './merged.ts';

type Row = Extract<Found, { kind: 'row' }>;

const experimentFile = z.object({ name: z.string(), lifecycle_stage: z.literal('active') });
const runFile = z.object({
  run_id: z.string(),
  run_name: z.string().nullish(),
  status: z.number(),
  start_time: z.number().nullish(),
  end_time: z.number().nullish(),
  lifecycle_stage: z.literal('active'),
});

/** Whether a folder has experiments in it. */
export async function isFileStore(folder: string): Promise<boolean> {
  for (const name of await foldersIn(folder)) if (await readMeta(join(folder, name), experimentFile)) return true;
  return false;
}

/** The runs of all experiments, without those that are deleted. */
export async function* fileStoreRuns(folder: string): AsyncGenerator<StoredRun> {
  for (const experiment of await foldersIn(folder)) {
    const { name: project } = (await readMeta(join(folder, experiment), experimentFile)) ?? {};
    if (project === undefined) continue;
    for (const run of await foldersIn(join(folder, experiment))) {
      const stored = await readRun(join(folder, experiment, run), project);
      if (stored) yield stored;
    }
  }
}

async function readRun(folder: string, project: string): Promise<StoredRun | null> {
  const meta = await readMeta(folder, runFile);
  if (!meta) return null;
  const { config, ...facts } = factsOf(await texts(join(folder, 'tags')));
  return {
    id: meta.run_id,
    project,
    name: meta.run_name || meta.run_id,
    ...(meta.start_time != null && { startedAt: meta.start_time }),
    ...facts,
    config: { ...configOf(await texts(join(folder, 'params'))), ...config },
    async *read() {
      yield* readMetrics(join(folder, 'metrics'));
      yield endOf(meta.status, meta.end_time ?? null);
    },
  };
}

/** Names with a slash are files in folders. */
async function texts(folder: string): Promise<Texts> {
  const found = new Map<string, string>();
  for (const path of await filesIn(folder)) found.set(nameOf(folder, path), await readFile(path, 'utf8'));
  return found;
}

/**
 * Each metric is a file of its own, which is in the order of its steps but for asynchronous clients: of all files the row
 * with the smallest step comes next, so that values of a step come together.
 */
async function* readMetrics(folder: string): AsyncGenerator<Found> {
  const losses = new Losses();
  const series = (await filesIn(folder)).map((path) => rowsOf(path, nameOf(folder, path), losses));
  yield* merged(series, ({ step }) => step);
  yield* losses.take();
}

/** Lines of time in milliseconds, value and step. */
async function* rowsOf(path: string, name: string, losses: Losses): AsyncGenerator<Row> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    const [time = '', value = '', step = '0'] = line.trim().split(' ');
    const row: Row = { kind: 'row', step: Number(step), time: Number(time), values: { [name]: numberOf(value) ?? 0 } };
    if (numberOf(value) !== null && Number.isSafeInteger(row.step) && /^\d+$/.test(time)) yield row;
    else if (line !== '') losses.add('lines of metrics', 'they are not a time, a value and a step');
  }
}

/** As Python writes it: `1e-05`, `nan`, `inf`. */
function numberOf(text: string): number | null {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  return /^-?\d/.test(text) && !Number.isNaN(Number(text)) ? Number(text) : null;
}

const WORDS = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
]);

/** Null where the file is absent, deleted in MLflow's sense, or another one. */
async function readMeta<T>(folder: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(parse(await readFile(join(folder, 'meta.yaml'), 'utf8')));
  } catch {
    return null;
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : [])).sort();
}

function nameOf(folder: string, path: string): string {
  return relative(folder, path).replaceAll(sep, '/');
}
