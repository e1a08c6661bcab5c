import type { StepRange } from './view-params.ts';

/** Columns a key moves the crosshair by. */
const MOVES: Record<string, number> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -20,
  PageUp: 20,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

/** Which of `columns` columns `key` leads to from the one `at`; null where it is no key that moves. */
export function columnAfter(key: string, at: number, columns: number): number | null {
  const move = MOVES[key];
  return move === undefined || columns === 0 ? null : Math.min(columns - 1, Math.max(0, at + move));
}

interface Shown {
  /** First and last step in view, and of the run. */
  view: readonly [number, number];
  run: readonly [number, number];
  /** The step to zoom around. */
  center: number;
}

/**
 * The steps that `key` brings into view: + half as many, − twice, 0 all of them, which is null; undefined where it does
 * not zoom. Where the newest step is in view the end stays open, so that the chart follows the run.
 */
export function rangeAfter(key: string, { view, run, center }: Shown): StepRange | null | undefined {
  if (key === '0') return null;
  if (key !== '+' && key !== '-') return undefined;
  const width = Math.max(2, Math.round((view[1] - view[0]) * (key === '+' ? 0.5 : 2)));
  if (width >= run[1] - run[0]) return null;
  const from = Math.min(run[1] - width, Math.max(run[0], Math.round(center - width / 2)));
  return from + width < run[1] ? { from, to: from + width } : { from };
}
