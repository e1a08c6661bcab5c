import { anyApiKey, authenticateApiKey, type Database, listApiKeys } from '@evenkeel/db';
import { ANONYMOUS, type Principal, RefusedError } from '@evenkeel/protocol';

/**
 * Who presents an ingest key, or none.
 * @throws RefusedError by the field `key` where it is unknown or revoked, or missing although one is needed.
 */
export async function authenticate(db: Database, secret: string | undefined, now: Date): Promise<Principal> {
  const known = secret === undefined ? null : await authenticateApiKey(db, secret, now);
  if (known) return { kind: 'key', id: known.id, name: known.name };
  if (await anyApiKey(db)) throw new RefusedError('key', secret === undefined ? MISSING : UNKNOWN);
  return ANONYMOUS;
}

/** Who has presented which key: for doors whose clients present theirs with every request. */
export class KnownSenders {
  #known = new Map<string | undefined, Promise<Principal>>();

  /**
   * As {@link authenticate}; whoever was found is known until `forget`.
   * @param find asks the database.
   */
  authenticate(secret: string | undefined, find: () => Promise<Principal>): Promise<Principal> {
    const known = this.#known;
    const found = known.get(secret) ?? find();
    known.set(secret, found);
    found.catch(() => known.delete(secret)); // a key that is refused may be created yet, and guesses would fill the memory
    return found;
  }

  /** Keys may have been created or revoked; what is being asked until now is not kept either. */
  forget(): void {
    this.#known = new Map();
  }
}

/** As soon as a key exists, whoever sends needs a valid one. @returns whether this principal may still send. */
export async function readAdmitted(db: Database): Promise<(principal: Principal) => boolean> {
  const keys = await listApiKeys(db);
  if (keys.length === 0) return () => true;
  const valid = new Set(keys.filter((key) => key.revokedAt === null).map((key) => key.id));
  return (principal) => principal.kind === 'key' && valid.has(principal.id);
}

const MISSING = 'this server takes steps only with an ingest key: create one with "evenkeel key create"';
export const UNKNOWN = 'this ingest key is unknown or revoked';
