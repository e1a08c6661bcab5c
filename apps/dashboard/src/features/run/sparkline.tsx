import { type Trace, tracePaths } from '../../live/trace.ts';
import classes from './board.module.css';

const WIDTH = 88;
const HEIGHT = 18;
/** Fewer would draw a course that nobody has seen. */
const FEWEST_POINTS = 8;

/** The last minute's course since the page opened, beside the number it belongs to. */
export function Sparkline({ trace }: { trace: Trace }) {
  const paths = trace.length < FEWEST_POINTS ? [] : tracePaths(trace, WIDTH, HEIGHT - 2);
  return (
    <svg
      className={classes.sparkline}
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 -1 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      {paths.map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}
