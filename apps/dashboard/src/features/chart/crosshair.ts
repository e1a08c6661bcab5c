/** The step under the pointer on any chart of the page, for those that uPlot does not draw. */
const listeners = new Set<(step: number | null) => void>();

export function moveCrosshair(step: number | null): void {
  for (const listener of listeners) listener(step);
}

export function onCrosshair(listener: (step: number | null) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
