/**
 * Who a request or a connection is: an ingest key, or nobody in particular. Rights and history come from this, never
 * from what a client writes.
 */
export type Principal =
  /** `id` and `name` of the key. */
  { kind: 'key'; id: string; name: string } | { kind: 'anonymous' };

export const ANONYMOUS: Principal = { kind: 'anonymous' };

/**
 * The name under which something is noted in the history.
 * @param typed what the client says, which counts only where nobody else can say who it is; null where it says nothing.
 */
export function authorOf(principal: Principal, typed: string | null): string | null {
  return principal.kind === 'anonymous' ? typed : principal.name;
}
