'use client';

import { RULES, SEVERITIES } from '@evenkeel/protocol';
import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import classes from './inbox.module.css';
import { WITHINS, type Within } from './inbox-request.ts';

const SEARCH_PAUSE_MS = 200;

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
  const [typing, setTyping] = useState<string | null>(null); // until it is in the address
  const apply = useDebouncedCallback((q: string) => {
    setParams({ q, page: null });
    setTyping(null);
  }, SEARCH_PAUSE_MS);
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
      <TextInput
        type="search"
        size="xs"
        aria-label="Search the name of the run"
        placeholder="Name of the run"
        value={typing ?? params.get('q') ?? ''}
        onChange={({ currentTarget: { value } }) => {
          setTyping(value);
          apply(value);
        }}
      />
      {select('rule', 'Rule', 'Every rule', RULES)}
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
