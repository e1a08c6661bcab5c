import { readSpoolStart, type SendOptions, sendSpool } from './send-spool.ts';
import { listSpool, type StoredSpool } from './spool-file.ts';
import type { Warn } from './warn.ts';

export interface LeftBehindOptions extends Pick<SendOptions, 'server' | 'handshake' | 'timing'> {
  /** Null for none. */
  folder: string | null;
  /** The run that is being started. */
  run: string;
  warn: Warn;
}

/**
 * Sends what earlier processes have left in the spool for this server, in the background. What is of the run that is
 * being started goes first.
 * @returns null where nothing of that run was left; else a promise of when that has been sent, or cannot be.
 */
export function sendLeftBehind(options: LeftBehindOptions): Promise<void> | null {
  const { run, warn } = options;
  const left = findLeft(options);
  const ofThisRun = left.filter(({ name }) => name.run === run);
  const others = left.filter(({ name }) => name.run !== run);
  const first = sendAll(ofThisRun, options);
  first.then(() => sendAll(others, options)).catch((error) => warn(`the spool cannot be sent: ${error}`, 'spool'));
  return ofThisRun.length > 0 ? first : null;
}

function findLeft({ folder, server, warn }: LeftBehindOptions): StoredSpool[] {
  if (folder === null) return [];
  try {
    const free = listSpool(folder).filter(({ isHeld }) => !isHeld);
    return free.filter(({ path }) => readSpoolStart(path)?.server === server.origin);
  } catch (error) {
    warn(`the spool cannot be read: ${error}`, 'spool');
    return [];
  }
}

async function sendAll(left: readonly StoredSpool[], { folder, warn, ...options }: LeftBehindOptions): Promise<void> {
  for (const stored of left) {
    if (folder === null) return;
    const sent = await sendSpool(folder, stored, { ...options, ...IN_BACKGROUND });
    if (sent?.kept)
      warn(`an earlier process has left steps in ${sent.kept.path}, which stay there: ${sent.kept.reason}`);
    if (sent && sent.lost > 0) warn(`steps that an earlier process has left were damaged: ${sent.lost} are lost`);
  }
}

const IN_BACKGROUND = { signal: new AbortController().signal, stallTimeout: null, onSteps: () => {} };
