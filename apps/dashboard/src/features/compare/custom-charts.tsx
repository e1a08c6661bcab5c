'use client';

import { Button } from '@mantine/core';
import { useQueryStates } from 'nuqs';
import { useMemo } from 'react';
import { formatCount } from '../../components/format.ts';
import { SearchField } from '../../components/search-field.tsx';
import charts from '../chart/charts.module.css';
import { customViews } from '../chart/metrics.ts';
import { CUSTOM_PAGE, MAX_CUSTOM, type StepRange, VIEW_PARAMS } from '../chart/view-params.ts';
import type { XUnit } from '../chart/x-axis.ts';
import { ChartGrid } from './chart-grid.tsx';
import classes from './compare.module.css';
import { ReadError } from './read-error.tsx';
import type { Pointing } from './readout.tsx';
import type { ComparedRun } from './use-compared.ts';
import { useCustomNames } from './use-custom-names.ts';
import { useLines } from './use-lines.ts';

const NAME_PARAMS = { custom: VIEW_PARAMS.custom, scalar: VIEW_PARAMS.scalar };

interface Props extends Pointing {
  runs: readonly ComparedRun[];
  align: XUnit;
  range: StepRange;
  halfLife: number | null;
  whole: readonly [number, number];
}

/** What some runs measure beyond what every run does; read once it is asked for. */
export function CustomCharts(props: Props) {
  const [{ custom, scalar }, setNames] = useQueryStates(NAME_PARAMS);
  const max = custom ?? 0;
  const { names, total, isWhole } = useCustomNames(props.runs, scalar, Math.max(max, CUSTOM_PAGE));
  const isSearched = scalar !== null;
  if (total === 0 && !isSearched) return null;
  const count = `${formatCount(total)}${isWhole ? '' : ' or more'}`;
  return (
    <section className={classes.section} aria-label="Custom scalars">
      <div className={charts.heading}>
        <Button
          size="xs"
          variant="default"
          aria-expanded={max > 0}
          onClick={() => setNames(max > 0 ? null : { custom: CUSTOM_PAGE })}
        >
          {max > 0 ? 'Hide custom scalars' : `Show custom scalars (${count})`}
        </Button>
        {max > 0 && (total > CUSTOM_PAGE || isSearched) && (
          <SearchField
            label="Find a custom scalar"
            placeholder="Find by name"
            value={scalar}
            onSearch={(text) => setNames({ scalar: text })}
          />
        )}
      </div>
      {max > 0 && <Shown {...props} names={names} max={max} />}
      {max > 0 && total > max && max < MAX_CUSTOM && (
        <Button size="xs" variant="default" onClick={() => setNames({ custom: max + CUSTOM_PAGE })}>
          Show more of {count}
        </Button>
      )}
    </section>
  );
}

function Shown({ names, max, runs, halfLife, ...shown }: Props & { names: readonly string[]; max: number }) {
  const views = useMemo(() => customViews(names.slice(0, max)), [names, max]);
  const series = useMemo(() => views.map(({ metric }) => metric), [views]);
  const { lines, error } = useLines(runs, { align: shown.align, range: shown.range, halfLife, views, series });
  return (
    <>
      <ReadError error={error} />
      <ChartGrid views={views} lines={lines} {...shown} />
    </>
  );
}
