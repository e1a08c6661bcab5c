import { open } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import type { FileFormat } from '@evenkeel/readers';

const HEAD_BYTES = 4096;

/** A file that can be followed. */
export interface Source {
  path: string;
  format: FileFormat;
  /** Of its run, the same for all its files. */
  key: string;
  /** What the files call the run, where they do not say it themselves. */
  name: string;
  /** The folder that was named, above it. */
  folder: string;
}

/** The first of the formats that a file is of; null where it is of none. @throws where it cannot be read. */
export async function sourceOf(path: string, folder: string, formats: readonly FileFormat[]): Promise<Source | null> {
  const below = relative(folder, path).split(sep).join('/');
  const head = await headOf(path);
  const format = formats.find((each) => each.matches(below, head));
  if (!format) return null;
  const { key, name } = format.runOf(below);
  return {
    path,
    format,
    folder,
    key: `${format.name} ${folder} ${key}`,
    name: isNamed(name) ? name : basename(folder),
  };
}

/** The folder itself has no name below itself. */
function isNamed(name: string): boolean {
  return name !== '' && name !== '.';
}

async function headOf(path: string): Promise<Uint8Array> {
  await using file = await open(path);
  const { bytesRead, buffer } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}
