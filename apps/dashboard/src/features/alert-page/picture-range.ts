import { CHART_COLUMNS } from '../chart/feed.ts';
import type { StepRange } from '../chart/view-params.ts';

/** Steps around a short window, so that it is seen in what it stands in. */
const MIN_CONTEXT = 30;
/** Of the view, behind the step at which divergence is expected. */
const MARGIN = 0.04;

interface Seen {
  attempt: number;
  window: readonly [number, number];
  divergenceStep: number | null;
}

/** Both ends are included. */
export interface PictureRange {
  /** The steps to read: none behind the last that the alert saw. */
  from: number;
  to: number;
  /** The x axis, which may reach further, to where divergence was expected. */
  view: { from: number; to: number };
}

/** What an alert's picture asks the server for: the timeline as the attempt had it, and no later step. */
export function pictureRequest({ run, attempt }: { run: string; attempt: number }, { from, to }: PictureRange) {
  return { run, attempt, from, to, columns: CHART_COLUMNS };
}

/** What an alert's picture shows: the window with as much before it again, or what somebody has zoomed to. */
export function pictureRange({ window: [first, last], divergenceStep }: Seen, asked: StepRange): PictureRange {
  const ahead = Math.max(0, (divergenceStep ?? last) - last);
  const lowest = first < 0 ? Number.NEGATIVE_INFINITY : 0; // most runs begin there
  const start = Math.max(lowest, first - Math.max(last - first, ahead, MIN_CONTEXT));
  const end = ahead === 0 ? last : last + ahead + Math.ceil(MARGIN * (last + ahead - start));
  const from = Math.min(asked.from ?? start, last);
  const until = asked.to ?? end;
  return { from, to: Math.max(from, Math.min(until, last)), view: { from, to: Math.max(until, from + 1) } };
}
