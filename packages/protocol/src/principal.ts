/**
 * The identity of a request or a connection: an ingest key, or nobody in particular. Rights and history come from
 * this, never from what a client writes.
 */
export type Principal =
  /** `id` and `name` of the key. */
  { kind: 'key'; id: string; name: string } | { kind: 'anonymous' };

/** Nobody in particular: every request of a server without keys. */
export const ANONYMOUS: Principal = { kind: 'anonymous' };

/**
 * The author of a change, for the history.
 * @param typed the name that the client sent, used only for an anonymous principal; null for none.
 */
export function authorOf(principal: Principal, typed: string | null): string | null {
  return principal.kind === 'anonymous' ? typed : principal.name;
}
