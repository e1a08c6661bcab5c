import type { Chart } from '../../trpc/client.tsx';
import type { XUnit } from '../chart/x-axis.ts';
import classes from './compare.module.css';
import type { ComparedRun } from './use-compared.ts';

interface Props {
  runs: readonly ComparedRun[];
  /** Of each run; undefined until it was read. */
  charts: readonly (Chart | undefined)[];
  align: XUnit;
}

/** Runs that have no place on the x axis, and why. */
export function LeftOut({ runs, charts, align }: Props) {
  const read = runs.map(({ run }, at) => ({ name: run.name, chart: charts[at] }));
  const empty = read.filter(({ chart }) => chart?.steps.length === 0);
  const uncounted = read.filter(({ chart }) => chart?.steps.length && chart.tokens.every((tokens) => tokens === null));
  return (
    <>
      {empty.length > 0 && <p className={classes.note}>Without a step so far: {namesOf(empty)}.</p>}
      {align === 'tokens' && uncounted.length > 0 && (
        <p className={classes.note}>Left out, because they have no token counts: {namesOf(uncounted)}.</p>
      )}
    </>
  );
}

function namesOf(runs: readonly { name: string }[]): string {
  return runs.map(({ name }) => name).join(', ');
}
