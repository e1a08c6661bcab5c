'use client';

import { Button } from '@mantine/core';
import { useMemo } from 'react';
import { useUrlParams } from '../../url.ts';
import { customViews } from '../step/metrics.ts';
import type { StepRange } from '../step/view-params.ts';
import type { XUnit } from '../step/x-axis.ts';
import { ChartGrid } from './chart-grid.tsx';
import classes from './compare.module.css';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useLines } from './use-lines.ts';

/** Shown until all are asked for: runs may send hundreds. */
const FEW = 12;

interface Props extends Pointing {
  runs: readonly ComparedRun[];
  /** Of the custom scalars that any of the runs has, one a line. */
  names: string;
  align: XUnit;
  range: StepRange;
  halfLife: number | null;
}

/** What some runs measure beyond what every run does; read once it is asked for. */
export function CustomCharts({ names, ...props }: Props) {
  const [params, setParams] = useUrlParams();
  const asked = params.get('custom');
  const all = useMemo(() => customViews(names.split('\n').filter((name) => name !== '')), [names]);
  if (all.length === 0) return null;
  return (
    <section className={classes.section} aria-label="Custom scalars">
      <Button
        size="xs"
        variant="default"
        aria-expanded={asked !== null}
        onClick={() => setParams({ custom: asked === null ? 'some' : null })}
      >
        {asked === null ? `Show custom scalars (${all.length})` : 'Hide custom scalars'}
      </Button>
      {asked !== null && <Shown {...props} all={all} most={asked === 'all' ? all.length : FEW} />}
      {asked !== null && asked !== 'all' && all.length > FEW && (
        <Button size="xs" variant="default" onClick={() => setParams({ custom: 'all' })}>
          Show all {all.length}
        </Button>
      )}
    </section>
  );
}

type ShownProps = Omit<Props, 'names'> & { all: ReturnType<typeof customViews>; most: number };

function Shown({ all, most, runs, halfLife, ...shown }: ShownProps) {
  const views = useMemo(() => all.slice(0, most), [all, most]);
  const series = useMemo(() => views.map(({ metric }) => metric), [views]);
  const { lines } = useLines(runs, { align: shown.align, range: shown.range, halfLife, views, series });
  return <ChartGrid views={views} lines={lines} {...shown} />;
}
