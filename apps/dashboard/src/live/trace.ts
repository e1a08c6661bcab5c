const POINTS = 120;
/** A little below the half second at which the server tells, so that a word that comes early still counts. */
const POINT_EVERY_MS = 400;

/** The newest values of one number, for a sparkline. Changed in place, in half a kilobyte: there is one for each run. */
export class Trace {
  private readonly values = new Float32Array(POINTS);
  private added = 0;
  private newestAt = Number.NEGATIVE_INFINITY;

  get length(): number {
    return Math.min(this.added, POINTS);
  }

  /** Adds a value, at most about two a second, and keeps the newest of them. */
  add(value: number | null, now: number): void {
    if (value === null || now - this.newestAt < POINT_EVERY_MS) return;
    this.values[this.added++ % POINTS] = value;
    this.newestAt = now;
  }

  /** The oldest first. */
  toArray(): number[] {
    const first = this.added - this.length;
    return Array.from({ length: this.length }, (_, at) => this.values[(first + at) % POINTS] ?? Number.NaN);
  }
}

/** SVG paths across a box of `width` × `height`, one for each stretch of finite values. */
export function tracePaths(values: readonly number[], width: number, height: number): string[] {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const intervals = Math.max(1, values.length - 1);
  const stretches: string[][] = [[]];
  for (const [index, value] of values.entries()) {
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
