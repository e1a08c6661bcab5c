'use client';

import { Button } from '@mantine/core';
import { useMemo } from 'react';
import { formatCount } from '../../format.ts';
import { useUrlParams } from '../../url.ts';
import { SearchField } from '../shell/search-field.tsx';
import charts from '../step/charts.module.css';
import { customViews } from '../step/metrics.ts';
import {
  CUSTOM_PAGE,
  MOST_CUSTOM,
  readCustom,
  SCALAR_SEARCH,
  type StepRange,
  writeCustom,
} from '../step/view-params.ts';
import type { XUnit } from '../step/x-axis.ts';
import { ChartGrid } from './chart-grid.tsx';
import classes from './compare.module.css';
import { ReadError } from './read-error.tsx';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useCustomNames } from './use-custom-names.ts';
import { useLines } from './use-lines.ts';

interface Props extends Pointing {
  runs: readonly ComparedRun[];
  align: XUnit;
  range: StepRange;
  halfLife: number | null;
  whole: readonly [number, number];
}

/** What some runs measure beyond what every run does; read once it is asked for. */
export function CustomCharts(props: Props) {
  const [params, setParams] = useUrlParams();
  const most = readCustom(params, 0);
  const { names, total, isWhole } = useCustomNames(props.runs, params, Math.max(most, CUSTOM_PAGE));
  const isSearched = Boolean(params.get(SCALAR_SEARCH));
  if (total === 0 && !isSearched) return null;
  const count = `${formatCount(total)}${isWhole ? '' : ' or more'}`;
  return (
    <section className={classes.section} aria-label="Custom scalars">
      <div className={charts.heading}>
        <Button
          size="xs"
          variant="default"
          aria-expanded={most > 0}
          onClick={() => setParams(most > 0 ? { custom: null, [SCALAR_SEARCH]: null } : writeCustom(CUSTOM_PAGE))}
        >
          {most > 0 ? 'Hide custom scalars' : `Show custom scalars (${count})`}
        </Button>
        {most > 0 && (total > CUSTOM_PAGE || isSearched) && (
          <SearchField label="Find a custom scalar" placeholder="Find by name" name={SCALAR_SEARCH} />
        )}
      </div>
      {most > 0 && <Shown {...props} names={names} most={most} />}
      {most > 0 && total > most && most < MOST_CUSTOM && (
        <Button size="xs" variant="default" onClick={() => setParams(writeCustom(most + CUSTOM_PAGE))}>
          Show more of {count}
        </Button>
      )}
    </section>
  );
}

function Shown({ names, most, runs, halfLife, ...shown }: Props & { names: readonly string[]; most: number }) {
  const views = useMemo(() => customViews(names.slice(0, most)), [names, most]);
  const series = useMemo(() => views.map(({ metric }) => metric), [views]);
  const { lines, error } = useLines(runs, { align: shown.align, range: shown.range, halfLife, views, series });
  return (
    <>
      <ReadError error={error} />
      <ChartGrid views={views} lines={lines} {...shown} />
    </>
  );
}
