import { coursePaths } from './course.ts';
import classes from './sparkline.module.css';

const WIDTH = 100;
const HEIGHT = 20;

/** A course beside the number that it ends with. Its place sets its size. */
export function Sparkline({ values }: { values: readonly number[] }) {
  return (
    <svg
      className={classes.sparkline}
      viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {coursePaths(values, WIDTH, HEIGHT).map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}
