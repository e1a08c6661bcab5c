import { createHash } from 'node:crypto';
import { name as nameText, text } from '@evenkeel/protocol';
import { z } from 'zod';

const part = text(200).nullish();

/** The entity of who names none. */
export const DEFAULT_ENTITY = 'evenkeel';

/** How a client calls a run. Where it names no entity or project, it gets these of its server. */
export const runKey = z.object({
  entity: part.transform((entity) => entity || DEFAULT_ENTITY),
  project: part.transform((project) => project || 'uncategorized'),
  /** The last part of the run's path, unique in the project. */
  name: nameText,
});
/** A parsed {@link runKey}. */
export type RunKey = z.output<typeof runKey>;

/** As a URL of W&B has it. */
export function pathOf({ entity, project, name }: RunKey): string {
  return `${entity}/${project}/${name}`;
}

/** The run's id here: a UUID (of version 8) derived from its path, so that a start that comes again is the same run's. */
export function runIdOf(key: RunKey): string {
  const hash = createHash('sha256')
    .update(JSON.stringify(['evenkeel wandb run', pathOf(key)]))
    .digest();
  hash.writeUInt8(0x80 | (hash.readUInt8(6) & 0x0f), 6); // version
  hash.writeUInt8(0x80 | (hash.readUInt8(8) & 0x3f), 8); // variant
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
