import { RefusedError } from '@evenkeel/protocol';
import { TIMING } from './connection.ts';
import type { SyncedFile, SyncOptions } from './public.ts';
import { type SendOptions, sendSpool } from './send-spool.ts';
import { listSpool, type StoredSpool } from './spool-file.ts';
import { spoolFolder } from './spool-folder.ts';
import { handshakeOf, optionError, serverAddress } from './start-run.ts';

/** Milliseconds without an acknowledgement before a file is kept for later. */
const STALL_TIMEOUT = 60_000;

/** See `public.ts`. */
export async function* syncSpool(options: SyncOptions): AsyncGenerator<SyncedFile, void, undefined> {
  const { folder, ...sending } = readOptions(options);
  for (const stored of listSpool(folder)) {
    const synced = await sync(folder, stored, sending);
    if (synced) yield synced;
  }
}

function readOptions(options: SyncOptions): SendOptions & { folder: string } {
  try {
    if (typeof options !== 'object' || options === null) throw new RefusedError('options', 'must be an object');
    const folder = spoolFolder(options.folder);
    if (folder === null) throw new RefusedError('folder', 'is switched off by EVENKEEL_SPOOL');
    return {
      folder,
      server: serverAddress(options.server),
      handshake: handshakeOf(options.key),
      timing: TIMING,
      signal: options.signal ?? new AbortController().signal,
      stallTimeout: STALL_TIMEOUT,
      onSteps: options.onProgress ?? (() => {}),
    };
  } catch (error) {
    throw optionError('syncSpool', error);
  }
}

/** Null where another process has sent the file meanwhile. */
async function sync(folder: string, stored: StoredSpool, sending: SendOptions): Promise<SyncedFile | null> {
  const { path, name, isHeld } = stored;
  const file = { path, run: name.run, attempt: name.attempt || null };
  if (isHeld) return { ...file, status: 'held', reason: null, steps: 0, lost: 0, refused: 0, dropped: [] };
  const sent = await sendSpool(folder, stored, sending);
  if (!sent) return null;
  const { kept, attempt, ...counts } = sent;
  file.attempt ??= attempt;
  if (!kept) return { ...file, status: 'sent', reason: null, ...counts };
  return { ...file, path: kept.path, status: 'kept', reason: kept.reason, ...counts };
}
