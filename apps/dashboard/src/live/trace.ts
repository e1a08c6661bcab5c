/** The newest values of one number, for a sparkline. */
export type Trace = readonly TracePoint[];
interface TracePoint {
  readonly at: number;
  readonly value: number;
}

const POINTS = 120;
/** A little below the half second at which the server tells, so that a word that comes early still counts. */
const POINT_EVERY_MS = 400;

/** Adds a value, at most about two a second, and keeps the newest of them. */
export function addPoint(trace: Trace, value: number | null, now: number): Trace {
  const last = trace.at(-1);
  if (value === null || (last && now - last.at < POINT_EVERY_MS)) return trace;
  return [...trace.slice(1 - POINTS), { at: now, value }];
}

/** SVG paths across a box of `width` × `height`, one for each stretch of finite values. */
export function tracePaths(trace: Trace, width: number, height: number): string[] {
  const finite = trace.map(({ value }) => value).filter(Number.isFinite);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const intervals = Math.max(1, trace.length - 1);
  const stretches: string[][] = [[]];
  for (const [index, { value }] of trace.entries()) {
    if (!Number.isFinite(value)) {
      stretches.push([]);
      continue;
    }
    const x = (width * index) / intervals;
    const y = span > 0 ? height - ((value - low) / span) * height : height / 2;
    stretches.at(-1)?.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  }
  return stretches.filter((points) => points.length > 1).map((points) => `M${points.join('L')}`);
}
