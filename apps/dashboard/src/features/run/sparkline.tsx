import classes from './sparkline.module.css';
import { sparklinePath } from './sparkline-path.ts';

const WIDTH = 100;
const HEIGHT = 20;

/** How a value went, beside the number that it ends with. Its place sets its size. */
export function Sparkline({ values }: { values: readonly number[] }) {
  return (
    <svg
      className={classes.sparkline}
      viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={sparklinePath(values, WIDTH, HEIGHT)} />
    </svg>
  );
}
