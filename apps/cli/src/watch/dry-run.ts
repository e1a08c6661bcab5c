import { basename } from 'node:path';
import { claimNames, printable, type RunNames } from '@evenkeel/protocol';
import type { FileFormat, Found } from '@evenkeel/readers';
import { counted } from '../counted.ts';
import { printTable } from '../table.ts';
import { FileReader } from './file-reader.ts';
import { filesBelow } from './finder.ts';
import { type Source, sourceOf } from './source.ts';

/** Bytes of each file that are read. */
const MAX_BYTES = 4 * 1024 * 1024;

/** What the files of one run hold. */
interface Preview {
  source: Source;
  paths: string[];
  rows: number;
  steps: { first: number; last: number } | null;
  /** How many rows report each name. */
  names: Map<string, number>;
  targets: RunNames;
  lost: Map<string, number>;
  /** Whether a file is longer than what was read of it. */
  isPartial: boolean;
}

/** Prints which files would be which runs and what their names would become. */
export async function printDryRun(
  folders: readonly string[],
  formats: readonly FileFormat[],
  project: string | undefined,
): Promise<void> {
  const previews = new Map<string, Preview>();
  for (const folder of folders) {
    for await (const path of filesBelow(folder)) {
      const source = await sourceOf(path, folder, formats).catch(() => null);
      if (source) await read(source, previewOf(source, previews));
    }
  }
  const runs = [...previews.values()].filter(({ rows }) => rows > 0);
  for (const preview of runs) print(preview, project);
  console.log(`${counted(runs.length, 'runs')} would be followed; nothing was sent.`);
}

function previewOf(source: Source, previews: Map<string, Preview>): Preview {
  const known = previews.get(source.key);
  if (known) return known;
  const fresh = { source, paths: [], rows: 0, steps: null, names: new Map(), targets: {}, lost: new Map() };
  const preview = { ...fresh, isPartial: false };
  previews.set(source.key, preview);
  return preview;
}

async function read({ path, format }: Source, preview: Preview): Promise<void> {
  preview.paths.push(path);
  await using reader = await FileReader.open(path, format, null, { from: null, since: null });
  for (let found = await reader.next(); found; found = await reader.next()) {
    for (const each of found) take(each, preview);
    if (reader.offset < MAX_BYTES) continue;
    preview.isPartial = true;
    return;
  }
  for (const each of reader.end()) take(each, preview);
}

function take(found: Found, preview: Preview): void {
  if (found.kind === 'row') takeRow(found, preview);
  if (found.kind !== 'lost') return;
  const reason = `${found.what}: ${found.reason}`;
  preview.lost.set(reason, (preview.lost.get(reason) ?? 0) + found.count);
}

function takeRow({ step, values }: Found & { kind: 'row' }, preview: Preview): void {
  preview.rows += 1;
  preview.steps ??= { first: step, last: step };
  preview.steps.first = Math.min(preview.steps.first, step);
  preview.steps.last = Math.max(preview.steps.last, step);
  preview.targets = claimNames(preview.targets, Object.keys(values), {}) ?? preview.targets;
  for (const name of Object.keys(values)) preview.names.set(name, (preview.names.get(name) ?? 0) + 1);
}

function print({ source, paths, rows, steps, names, targets, lost, isPartial }: Preview, project?: string): void {
  const where = project ?? `${basename(source.folder)}, unless its files name another`;
  console.log(printable(`${source.name} (${source.format.name}; project ${where})`));
  for (const path of paths) console.log(printable(`  ${path}`));
  const part = isPartial ? ` in the first ${MAX_BYTES / 1024 / 1024} MiB of each file` : '';
  console.log(`  ${counted(rows, 'rows')}, steps ${steps?.first} to ${steps?.last}${part}`);
  const targetOf = new Map(Object.entries(targets).map(([target, name]) => [name, target]));
  printTable(
    [...names].map(([name, count]) => [`    ${name}`, `${count}×`, `→ ${targetOf.get(name) ?? 'custom scalar'}`]),
  );
  for (const [reason, count] of lost) console.log(printable(`  not read: ${counted(count, reason)}`));
}
