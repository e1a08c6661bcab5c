import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ROOT } from './files.mjs';

const BUILT = ['apps/dashboard/.next/BUILD_ID', 'packages/emit/dist/index.mjs'];

/** The folder that the command line names, made where it is absent. Ends the process where nothing is built yet. */
export function destinationFolder() {
  const missing = BUILT.find((file) => !existsSync(join(ROOT, file)));
  if (missing) {
    console.error(`${missing} is not built yet: run "npm run build" first`);
    process.exit(1);
  }
  const folder = resolve(process.argv[2] ?? 'dist');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Writes a package's files and our license into a temporary folder, for as long as `pack` takes.
 * @param {(folder: string) => unknown} stage
 * @param {(folder: string) => void} pack
 */
export async function withStaged(stage, pack) {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-pack-'));
  try {
    await stage(folder);
    cpSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
    pack(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
