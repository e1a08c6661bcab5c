import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { watch } from 'chokidar';

/** Folders that hold no logs of training, and may hold very many files. */
const SKIPPED = new Set(['node_modules', '.git', '__pycache__', '.venv', 'site-packages']);

/**
 * Every file below a folder, in the order of their paths. Links are not followed: `latest` names a run that is there
 * already. A folder that cannot be read is passed over.
 */
export async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    else if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* filesBelow(path);
  }
}

/**
 * Reports files that come or change below folders, as the system reports them.
 * @returns what ends that.
 */
export function watchFiles(
  folders: readonly string[],
  { onFile, onError }: { onFile: (path: string) => void; onError: (error: unknown) => void },
): () => Promise<void> {
  const watcher = watch([...folders], {
    ignored: (path) => SKIPPED.has(basename(path)),
    ignoreInitial: true,
    followSymlinks: false,
  });
  watcher.on('add', onFile).on('change', onFile).on('error', onError);
  return () => watcher.close();
}
