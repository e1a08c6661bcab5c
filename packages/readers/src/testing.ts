import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileFormat, Found, Position, StoreFormat } from './format.ts';

/** Files that released tools have written: packages/readers/samples/README.md. */
export const SAMPLES = join(import.meta.dirname, '../samples');

type Row = Extract<Found, { kind: 'row' }>;
type Lost = Extract<Found, { kind: 'lost' }>;

export const rowsOf = (found: readonly Found[]) => found.filter((each): each is Row => each.kind === 'row');

/** By name, in order: `[step, value]`. */
export function seriesOf(found: readonly Found[]): Record<string, [step: number, value: number][]> {
  const series: Record<string, [number, number][]> = {};
  for (const { step, values } of rowsOf(found)) {
    for (const [name, value] of Object.entries(values)) series[name] = [...(series[name] ?? []), [step, value]];
  }
  return series;
}

/** How often each thing was lost. */
export function lossesOf(found: readonly Found[]): Record<string, number> {
  const losses: Record<string, number> = {};
  for (const each of found.filter((one): one is Lost => one.kind === 'lost'))
    losses[`${each.what}: ${each.reason}`] = (losses[`${each.what}: ${each.reason}`] ?? 0) + each.count;
  return losses;
}

/** What a file's chunks hold, where each is pushed by itself. */
export function decode(format: FileFormat, chunks: readonly Uint8Array[], from: Position | null = null) {
  const decoder = format.decode(from);
  const found = chunks.flatMap((chunk) => decoder.push(chunk));
  return { found, position: decoder.position, end: () => decoder.end() };
}

/** What a whole file holds. */
export function readSample(format: FileFormat, path: string): Found[] {
  const { found, end } = decode(format, [readFileSync(join(SAMPLES, path))]);
  return [...found, ...end()];
}

/** The runs of a store, each with what it holds. */
export async function readStore(format: StoreFormat, path: string) {
  const runs = [];
  for await (const { read, ...run } of format.runs(path)) {
    const found: Found[] = [];
    for await (const each of read()) found.push(each);
    runs.push({ run, found });
  }
  return runs;
}

/**
 * What a format finds in a whole file that comes in chunks of so many bytes. The decoder is made again from its position
 * after each of them, as JSON, as a follower does that was killed.
 */
export function decodeInChunks(format: FileFormat, text: string, chunk: number): Found[] {
  const bytes = Buffer.from(text);
  const found: Found[] = [];
  let decoder = format.decode(null);
  for (let read = 0; read < bytes.length; read = decoder.position.bytes) {
    const { bytes: from } = decoder.position;
    decoder = format.decode(JSON.parse(JSON.stringify(decoder.position)));
    let end = from + chunk;
    found.push(...decoder.push(bytes.subarray(from, end)));
    for (; decoder.position.bytes === from && end < bytes.length; end += chunk) {
      found.push(...decoder.push(bytes.subarray(end, end + chunk)));
    }
    if (end >= bytes.length) break;
  }
  return [...found, ...decoder.end()];
}

/** Rows alone, as `[step, values]`. */
export function rowsIn(found: readonly Found[]): [number, Record<string, number>][] {
  return found.flatMap((each) => (each.kind === 'row' ? [[each.step, each.values] as const] : [])) as never;
}
