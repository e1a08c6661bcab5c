'use client';

import { exactly } from '../../components/exact.ts';
import { formatCount, formatExact, formatNumber } from '../../components/format.ts';
import classes from './charts.module.css';
import type { StepFeed } from './feed.ts';
import { LatestArrays } from './latest-arrays.tsx';
import { type MetricView, withBeside } from './metrics.ts';
import { summarizeMetric } from './plot-data.ts';
import { usePictureInWords } from './use-step-feed.ts';

interface Props {
  feed: StepFeed;
  views: readonly MetricView[];
  /** Names of the run's layers, where what is measured by layer is listed too. */
  layers?: readonly string[];
}

/** The charts as a table, for those who do not see them or want the numbers. */
export function LatestValues({ title, ...props }: Props & { title: string }) {
  return (
    <details className={classes.values}>
      <summary>{title}</summary>
      <Values {...props} />
    </details>
  );
}

function Values({ feed, views, layers }: Props) {
  const picture = usePictureInWords(feed);
  if (!picture) return null;
  const { chart, arrays } = picture;
  return (
    <>
      <table>
        <thead>
          <tr>
            {['Metric', 'Latest', 'At step', 'Lowest', 'Highest', 'Not finite'].map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {withBeside(views).map((view) => {
            const { latest, latestStep, lowest, highest, nonFinite } = summarizeMetric(chart, view);
            return (
              <tr key={view.metric}>
                <th scope="row">
                  {view.title} {view.unit && `(${view.unit})`}
                </th>
                <td {...exactly(formatExact(latest))}>{formatNumber(latest, 4)}</td>
                <td>{formatCount(latestStep)}</td>
                <td {...exactly(formatExact(lowest))}>{formatNumber(lowest, 4)}</td>
                <td {...exactly(formatExact(highest))}>{formatNumber(highest, 4)}</td>
                <td>{formatCount(nonFinite)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {chart.columnSteps > 1 && (
        <p>Latest is a mean over {formatCount(chart.columnSteps)} steps; lowest and highest are of single steps.</p>
      )}
      {layers && <LatestArrays arrays={arrays} layers={layers} />}
    </>
  );
}
