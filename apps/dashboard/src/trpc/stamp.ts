import type { DehydratedState } from '@tanstack/react-query';

const stamped = new WeakMap<DehydratedState, DehydratedState>();

/**
 * What the server has read, as if read when this machine first saw it. The same state keeps its stamp: the browser's
 * way back to a page must not make old data new.
 */
export function stampHere(state: DehydratedState, now: number): DehydratedState {
  const known = stamped.get(state);
  if (known) return known;
  const queries = state.queries.map((query) => {
    const { dataUpdatedAt } = query.state; // 0 while the server still reads
    return { ...query, dehydratedAt: now, state: { ...query.state, dataUpdatedAt: dataUpdatedAt && now } };
  });
  const here = { ...state, queries };
  stamped.set(state, here);
  return here;
}
