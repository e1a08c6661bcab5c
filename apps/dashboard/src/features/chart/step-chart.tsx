'use client';

import { useId } from 'react';
import { formatCount } from '../../components/format.ts';
import { ChartHeading } from './chart-heading.tsx';
import { ChartSketch } from './chart-sketch.tsx';
import classes from './charts.module.css';
import { steer } from './steer.ts';
import type { ShownForecast } from './use-forecast.ts';
import { type ChartProps, useStepPlot } from './use-step-plot.ts';

interface Props extends ChartProps {
  /** What the trainer calls the metric, where that is another name. */
  reportedAs?: string | undefined;
  onScale: (scale: 'log' | 'linear') => void;
}

export function StepChart({ reportedAs, onScale, ...props }: Props) {
  const { view, feed, forecast, onZoom } = props;
  const { target, readout, mounted, log, sketch } = useStepPlot(props);
  const title = useId();
  return (
    <section className={classes.chart} aria-labelledby={title}>
      <ChartHeading
        id={title}
        title={view.title}
        unit={view.unit}
        beside={view.beside}
        reportedAs={reportedAs}
        log={log}
        onScale={onScale}
      >
        <output ref={readout} aria-live="off" className={classes.readout} />
        {forecast && <Risk forecast={forecast} />}
      </ChartHeading>
      <div
        ref={target}
        className={classes.plot}
        role="slider"
        aria-label={`${view.title} by step`}
        aria-valuemin={0}
        aria-valuemax={0}
        aria-valuenow={0}
        tabIndex={0}
        onKeyDown={(event) =>
          mounted.current && steer(event, mounted.current.plot, { shown: feed.view(), whole: feed.runSteps(), onZoom })
        }
      >
        {sketch && <ChartSketch view={view} sketch={sketch} />}
      </div>
    </section>
  );
}

/** The risk in words, beside its picture; high where it is enough to predict a step. */
function Risk({ forecast: { points, ahead } }: { forecast: ShownForecast }) {
  const newest = points.at(-1);
  if (!newest) return null;
  const { risk, divergenceStep } = newest;
  const where = ahead ? `, divergence expected around step ${formatCount(ahead.step)}` : '';
  return (
    <span
      className={classes.risk}
      data-high={divergenceStep !== null || undefined}
      title={`risk of divergence within 100 steps: ${risk}${where}; the area at the foot of the chart shows it from 0 to 100 %`}
    >
      risk {Math.round(100 * risk)} %
    </span>
  );
}
