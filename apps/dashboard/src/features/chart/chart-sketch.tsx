import classes from './chart-sketch.module.css';
import type { ChartView } from './chart-view.ts';
import { inkVariable } from './palette.ts';
import { GUTTER_BOTTOM, GUTTER_LEFT, GUTTER_RIGHT, GUTTER_TOP } from './plot.ts';
import { SKETCH_SIZE, type Sketch } from './sketch.ts';

const INSET = { inset: `${GUTTER_TOP}px ${GUTTER_RIGHT}px ${GUTTER_BOTTOM}px ${GUTTER_LEFT}px` };
const { width: WIDTH, height: HEIGHT } = SKETCH_SIZE;

/**
 * A chart as the server draws it, in the page's first bytes, so that it is seen before any script has run. It stands
 * where the plot will that takes its place, and leaves out what is marked on that.
 */
export function ChartSketch({ view, sketch }: { view: ChartView; sketch: Sketch }) {
  const { unit, columns, rows, grid, bands, lines } = sketch;
  return (
    <div className={classes.sketch} style={INSET} aria-hidden="true">
      {columns.map(({ label, at }) => (
        <span key={at} className={classes.column} style={{ left: percent(at) }}>
          {label}
        </span>
      ))}
      {rows.map(({ label, at }) => (
        <span key={at} className={classes.row} style={{ bottom: percent(at) }}>
          {label}
        </span>
      ))}
      <span className={classes.unit}>{unit}</span>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" fill="none" aria-hidden="true">
        <path d={grid} stroke={inkVariable('grid')} />
        {view.bands.map(({ between, ink }, at) => (
          <path key={between.join()} d={bands[at]} fill={inkVariable(ink)} />
        ))}
        {view.lines.map(({ ink, width, dash }, at) => {
          const look = ink && { stroke: inkVariable(ink), strokeWidth: width, strokeDasharray: dash?.join(' ') };
          // biome-ignore lint/suspicious/noArrayIndexKey: its place is a line's only name
          return look && <path key={at} d={lines[at]} strokeLinecap="round" {...look} />;
        })}
      </svg>
    </div>
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}
