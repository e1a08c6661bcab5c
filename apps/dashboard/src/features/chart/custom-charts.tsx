'use client';

import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useQueryStates } from 'nuqs';
import { formatCount } from '../../components/format.ts';
import { SearchField } from '../../components/search-field.tsx';
import { useTRPC } from '../../trpc/client.tsx';
import classes from './charts.module.css';
import { ScalarCharts, type ScalarProps, ScalarsError } from './scalar-charts.tsx';
import { CUSTOM_PAGE, MAX_CUSTOM, runNamesRequest, VIEW_PARAMS } from './view-params.ts';

const NAME_PARAMS = { custom: VIEW_PARAMS.custom, scalar: VIEW_PARAMS.scalar };

/** What a run measures beyond what every run does: the first of it by name, or what somebody searches. */
export function CustomCharts(props: ScalarProps) {
  const [{ custom, scalar }, setNames] = useQueryStates(NAME_PARAMS);
  const max = custom ?? CUSTOM_PAGE;
  const request = runNamesRequest(props.run.id, scalar, max);
  const { data, error, refetch } = useQuery(
    useTRPC().run.customNames.queryOptions(request, { placeholderData: keepPreviousData }),
  );
  if (error && !data) return <ScalarsError message={error.message} onRetry={refetch} />;
  if (!data || (data.total === 0 && !request.search)) return null;
  const { names, total } = data;
  return (
    <section className={classes.custom} aria-label="Custom scalars">
      <div className={classes.heading}>
        <h2>Custom scalars</h2>
        {(total > CUSTOM_PAGE || request.search) && <Search total={total} />}
      </div>
      {total === 0 && <p>No custom scalar of this run has “{request.search}” in its name.</p>}
      {names.length > 0 && <ScalarCharts {...props} names={names} table="Custom scalars as a table" />}
      {names.length < total && names.length < MAX_CUSTOM && (
        <Button variant="default" size="xs" onClick={() => setNames({ custom: max + CUSTOM_PAGE })}>
          Show more of {formatCount(total)}
        </Button>
      )}
    </section>
  );
}

function Search({ total }: { total: number }) {
  const [{ scalar }, setNames] = useQueryStates(NAME_PARAMS);
  return (
    <>
      <SearchField
        label="Find a custom scalar"
        placeholder="Find by name"
        value={scalar}
        onSearch={(text) => setNames({ scalar: text, custom: null })}
      />
      <span role="status">{formatCount(total)} found</span>
    </>
  );
}
