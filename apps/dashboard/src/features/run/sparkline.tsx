import { type Trace, tracePaths } from '../../live/trace.ts';
import classes from './sparkline.module.css';

const WIDTH = 100;
const HEIGHT = 20;
/** Fewer would draw a course that nobody has seen. */
const FEWEST_POINTS = 8;

/** The last minute's course since the page opened, beside the number it belongs to. Its place sets its size. */
export function Sparkline({ trace }: { trace: Trace | undefined }) {
  const values = trace && trace.length >= FEWEST_POINTS ? trace.toArray() : [];
  return (
    <svg
      className={classes.sparkline}
      viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {tracePaths(values, WIDTH, HEIGHT).map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}
