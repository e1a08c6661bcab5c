'use client';

import { SEVERITIES } from '@evenkeel/protocol';
import { RULE_NAMES } from '@evenkeel/stability';
import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import { SearchField } from '../shell/search-field.tsx';
import classes from './inbox.module.css';
import { WITHINS, type Within } from './inbox-request.ts';

const WITHIN_WORDS: Record<Within, string> = {
  '1h': 'Within an hour',
  '24h': 'Within a day',
  '7d': 'Within a week',
  '30d': 'Within 30 days',
};

/** What narrows the inbox; all of it is in the address. */
export function InboxFilters() {
  const [params, setParams] = useUrlParams();
  const projects = useQuery(useTRPC().project.list.queryOptions()).data ?? [];
  const project = params.get('project') ?? '';
  const select = (
    name: string,
    label: string,
    all: string,
    data: readonly (string | { value: string; label: string })[],
  ) => (
    <NativeSelect
      size="xs"
      aria-label={label}
      value={params.get(name) ?? ''}
      data={[{ value: '', label: all }, ...data]}
      onChange={({ currentTarget: { value } }) => setParams({ [name]: value, page: null })}
    />
  );
  return (
    <search className={classes.filters}>
      <SearchField label="Search the name of the run" placeholder="Name of the run" without={['page']} />
      {select('rule', 'Rule', 'Every rule', RULE_NAMES)}
      {select('severity', 'Severity', 'Every severity', SEVERITIES)}
      {select('project', 'Project', 'Every project', [
        ...(project && !projects.includes(project) ? [project] : []),
        ...projects,
      ])}
      {select('within', 'Opened', 'Any time', withinOptions())}
    </search>
  );
}

function withinOptions() {
  return WITHINS.map((value) => ({ value, label: WITHIN_WORDS[value] }));
}
