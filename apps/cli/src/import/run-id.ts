import { createHash } from 'node:crypto';
import { runId } from '@evenkeel/protocol';

/**
 * The id under which a run is imported: its own where that is a UUID, otherwise one (of version 8) derived from where it
 * comes from, so that a run that is imported again is the same one.
 * @param kind what brought it, such as `evenkeel recording`.
 */
export function importedId(kind: string, project: string, id: string): string {
  const uuid = runId.safeParse(id);
  if (uuid.success) return uuid.data;
  const hash = createHash('sha256')
    .update(JSON.stringify([kind, project, id]))
    .digest('hex');
  const variant = (0b1000 | (Number.parseInt(hash.charAt(16), 16) & 0b11)).toString(16);
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    variant + hash.slice(17, 20),
    hash.slice(20, 32),
  ].join('-');
}
