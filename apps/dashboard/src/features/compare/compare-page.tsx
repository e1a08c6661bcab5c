'use client';

import Link from 'next/link';
import { useQueryStates } from 'nuqs';
import { useMemo, useState } from 'react';
import { useLiveBoard } from '../../live/use-live.ts';
import { AddRun } from './add-run.tsx';
import classes from './compare.module.css';
import { CompareCharts } from './compare-charts.tsx';
import { askedRuns, RUNS_PARAMS, toggled } from './compare-params.ts';
import { ConfigTable } from './config-table.tsx';
import { Notices } from './notices.tsx';
import { RunList } from './run-list.tsx';
import { useCompared } from './use-compared.ts';
import { ValuesTable } from './values-table.tsx';

/** Runs side by side; which, and how, is in the address. */
export function ComparePage() {
  const [params, setParams] = useQueryStates(RUNS_PARAMS);
  const asked = useMemo(() => askedRuns(params.runs), [params.runs]);
  const { runs, failed } = useCompared(asked.ids);
  const hidden = useMemo(() => new Set(params.hide), [params.hide]);
  const [emphasized, setEmphasized] = useState<string | null>(null);
  useLiveBoard((alerted) => runs.find(({ id }) => id === alerted)?.run.name);

  const pointing = {
    hidden,
    onEmphasize: (id: string | null) => setEmphasized(id !== null && hidden.has(id) ? null : id),
    onToggle: (id: string) => {
      setEmphasized(null);
      setParams(({ hide }) => ({ hide: toggled(hide, id) }));
    },
  };
  const remove = (id: string) => {
    setEmphasized(null);
    const without = (ids: readonly string[]) => ids.filter((other) => other !== id);
    setParams({ runs: without(asked.ids), hide: without(params.hide) }, { history: 'push' });
    document.querySelector<HTMLElement>('input[type="search"]')?.focus(); // what had the focus is gone
  };
  return (
    <>
      <div className={classes.heading}>
        <h1>{headingOf(runs.length)}</h1>
        <AddRun
          ids={asked.ids}
          takesFocus={asked.ids.length < 2}
          onAdd={(id) => setParams({ runs: [...asked.ids, id] }, { history: 'push' })}
        />
      </div>
      <Notices asked={asked} failed={failed} />
      {asked.ids.length === 0 && <HowTo />}
      {runs.length > 0 && (
        <>
          <RunList runs={runs} onRemove={remove} {...pointing} />
          <ConfigTable runs={runs} />
          <ValuesTable runs={runs} />
          <CompareCharts runs={runs} emphasized={emphasized} {...pointing} />
        </>
      )}
    </>
  );
}

function headingOf(runs: number): string {
  return runs === 0 ? 'Compare runs' : `Compare ${runs} ${runs === 1 ? 'run' : 'runs'}`;
}

function HowTo() {
  return (
    <p className={classes.how}>
      Search for runs here, one after the other; or mark them on <Link href="/">the list of all runs</Link>, with a
      click beside the name or with the key x, and open “Compare” there. Up to 20 are drawn over one another, and the
      address is a link that others can open.
    </p>
  );
}
