'use client';

import { useQuery } from '@tanstack/react-query';
import { useQueryState } from 'nuqs';
import { formatCount } from '../../components/format.ts';
import { Toggle } from '../../components/toggle.tsx';
import { useTRPC } from '../../trpc/client.tsx';
import classes from './charts.module.css';
import { ScalarCharts, type ScalarProps, ScalarsError } from './scalar-charts.tsx';
import { systemNamesRequest, VIEW_PARAMS } from './view-params.ts';

/** More are folded until somebody wants them: a node of eight GPUs has dozens. */
const SHOWN_UNASKED = 4;

/** What was measured of the machine: scalars named `system/…`. Nothing where nothing was. */
export function SystemCharts(props: ScalarProps) {
  const [system, setSystem] = useQueryState('system', VIEW_PARAMS.system);
  const { data, error, refetch } = useQuery(useTRPC().run.customNames.queryOptions(systemNamesRequest(props.run.id)));
  if (error && !data) return <ScalarsError message={error.message} onRetry={refetch} />;
  if (!data || data.total === 0) return null;
  const { names, total } = data;
  const isShown = system === null ? total <= SHOWN_UNASKED : system === 'shown';
  return (
    <section className={classes.custom} aria-label="System metrics">
      <div className={classes.heading}>
        <h2>System metrics</h2>
        <Toggle isOn={isShown} onClick={() => setSystem(isShown ? 'hidden' : 'shown')}>
          Show {formatCount(names.length)}
        </Toggle>
        {names.length < total && <span>of {formatCount(total)}</span>}
      </div>
      {isShown && <ScalarCharts {...props} names={names} table="System metrics as a table" />}
    </section>
  );
}
