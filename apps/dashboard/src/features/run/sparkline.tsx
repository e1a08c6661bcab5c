import { type Trace, tracePaths } from '../../live/trace.ts';
import classes from './board.module.css';

const WIDTH = 88;
const HEIGHT = 18;

/** The last minute's course since the page opened, beside the number it belongs to. */
export function Sparkline({ trace }: { trace: Trace }) {
  return (
    <svg
      className={classes.sparkline}
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 -1 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      {tracePaths(trace, WIDTH, HEIGHT - 2).map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}
