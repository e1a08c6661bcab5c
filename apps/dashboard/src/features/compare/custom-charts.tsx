'use client';

import { Button } from '@mantine/core';
import { useMemo } from 'react';
import { useUrlParams } from '../../url.ts';
import { customViews } from '../step/metrics.ts';
import { CUSTOM_PAGE, readCustom, type StepRange, writeCustom } from '../step/view-params.ts';
import type { XUnit } from '../step/x-axis.ts';
import { ChartGrid } from './chart-grid.tsx';
import classes from './compare.module.css';
import { ReadError } from './read-error.tsx';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useLines } from './use-lines.ts';

interface Props extends Pointing {
  runs: readonly ComparedRun[];
  /** Of the custom scalars that any of the runs has, one a line. */
  names: string;
  align: XUnit;
  range: StepRange;
  halfLife: number | null;
  whole: readonly [number, number];
}

/** What some runs measure beyond what every run does; read once it is asked for. */
export function CustomCharts({ names, ...props }: Props) {
  const [params, setParams] = useUrlParams();
  const most = readCustom(params, 0);
  const all = useMemo(() => customViews(names.split('\n').filter((name) => name !== '')), [names]);
  if (all.length === 0) return null;
  return (
    <section className={classes.section} aria-label="Custom scalars">
      <Button
        size="xs"
        variant="default"
        aria-expanded={most > 0}
        onClick={() => setParams(most > 0 ? { custom: null } : writeCustom(CUSTOM_PAGE))}
      >
        {most > 0 ? 'Hide custom scalars' : `Show custom scalars (${all.length})`}
      </Button>
      {most > 0 && <Shown {...props} all={all} most={most} />}
      {most > 0 && all.length > most && (
        <Button size="xs" variant="default" onClick={() => setParams(writeCustom(most + CUSTOM_PAGE))}>
          Show more of {all.length}
        </Button>
      )}
    </section>
  );
}

type ShownProps = Omit<Props, 'names'> & { all: ReturnType<typeof customViews>; most: number };

function Shown({ all, most, runs, halfLife, ...shown }: ShownProps) {
  const views = useMemo(() => all.slice(0, most), [all, most]);
  const series = useMemo(() => views.map(({ metric }) => metric), [views]);
  const { lines, error } = useLines(runs, { align: shown.align, range: shown.range, halfLife, views, series });
  return (
    <>
      <ReadError error={error} />
      <ChartGrid views={views} lines={lines} {...shown} />
    </>
  );
}
