import { resolve } from 'node:path';
import { RefusedError } from '@evenkeel/protocol';

const DEFAULT_FOLDER = '.evenkeel/spool';

/**
 * The folder of the spool: as the option says, else as EVENKEEL_SPOOL does, else a default one; null for none.
 * @throws RefusedError where the option is neither a path nor false.
 */
export function spoolFolder(option: unknown): string | null {
  const chosen = option ?? (process.env.EVENKEEL_SPOOL || DEFAULT_FOLDER);
  if (chosen === false || chosen === 'false') return null;
  if (typeof chosen === 'string' && chosen !== '') return resolve(chosen);
  throw new RefusedError('spool', 'must be a folder, or false for none');
}
