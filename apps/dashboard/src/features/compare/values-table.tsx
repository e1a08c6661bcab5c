'use client';

import { type UseQueryResult, useQueries } from '@tanstack/react-query';
import { useQueryState } from 'nuqs';
import { exactly } from '../../components/exact.ts';
import { useNow } from '../../live/clock.ts';
import { type Chart, useTRPC } from '../../trpc/client.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import classes from './compare.module.css';
import { extremesQuery, lastStepQuery } from './compare-queries.ts';
import { RunHeading } from './run-heading.tsx';
import type { ComparedRun } from './use-compared.ts';
import {
  exactValue,
  inOrder,
  nextOrder,
  type Order,
  type RunValues,
  VALUE_COLUMNS,
  valuesOf,
  valuesOrder,
} from './values.ts';

/** The final results of each run. */
export function ValuesTable({ runs }: { runs: readonly ComparedRun[] }) {
  const [order] = useQueryState('sort', valuesOrder);
  const rows = inOrder(useValues(runs), order);
  return (
    <section className={classes.section}>
      <h2>Values</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard can scroll it */}
      <section className={classes.scroll} aria-label="Values" tabIndex={0}>
        <table className={classes.table} data-numbers>
          <thead>
            <tr>
              <th scope="col">Run</th>
              {VALUE_COLUMNS.map(({ key, label, unit, meaning }) => (
                <SortHead key={key} by={key} {...{ label, unit, meaning, order }} />
              ))}
              <SortHead label="Outcome" by="status" order={order} />
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <ValuesRow key={row.compared.id} {...row} />
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

function useValues(runs: readonly ComparedRun[]) {
  const trpc = useTRPC();
  const now = useNow();
  const extremes = useQueries({
    queries: runs.map(({ id, run }) => extremesQuery(trpc, { run: id, isLive: run.status === 'running' })),
    combine: chartsOf,
  });
  const last = useQueries({
    queries: runs.map(({ id }, at) => lastStepQuery(trpc, id, extremes[at]?.lastStep ?? null)),
    combine: chartsOf,
  });
  return runs.map((compared, at) => ({
    compared,
    values: valuesOf({ run: compared.run, extremes: extremes[at], last: last[at], now }),
  }));
}

function chartsOf(results: readonly UseQueryResult<Chart, unknown>[]): (Chart | undefined)[] {
  return results.map(({ data }) => data);
}

function ValuesRow({ compared, values }: { compared: ComparedRun; values: RunValues }) {
  return (
    <tr>
      <th scope="row">
        <RunHeading run={compared} />
      </th>
      {VALUE_COLUMNS.map((column) => {
        const value = values[column.key] as number | null;
        return (
          <td key={column.key} {...exactly(exactValue(column, value))}>
            {value === null ? '–' : column.format(value)}
          </td>
        );
      })}
      <td title={compared.run.reason ?? undefined}>
        <RunStatusMark status={compared.run.status} />
        {compared.run.reason && <span className={classes.reason}>{compared.run.reason}</span>}
      </td>
    </tr>
  );
}

interface SortHeadProps {
  label: string;
  unit?: string | undefined;
  meaning?: string | undefined;
  by: keyof RunValues;
  order: Order | null;
}

function SortHead({ label, unit, meaning, by, order }: SortHeadProps) {
  const [, setOrder] = useQueryState('sort', valuesOrder);
  const sorted = order?.by === by ? (order.descending ? 'descending' : 'ascending') : 'none';
  return (
    <th scope="col" aria-sort={sorted}>
      <button
        type="button"
        className={classes.sort}
        title={meaning}
        onClick={() => setOrder((asked) => nextOrder(by, asked))}
      >
        {label} {unit && <small>{unit}</small>}
        <span aria-hidden="true">{{ none: '', ascending: '▲', descending: '▼' }[sorted]}</span>
      </button>
    </th>
  );
}
