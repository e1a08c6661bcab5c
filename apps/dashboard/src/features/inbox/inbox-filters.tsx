'use client';

import { SEVERITIES } from '@evenkeel/protocol';
import { RULE_NAMES } from '@evenkeel/stability';
import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useQueryState } from 'nuqs';
import { SearchField } from '../../components/search-field.tsx';
import { useUrlField } from '../../components/use-url-field.ts';
import { useTRPC } from '../../trpc/client.tsx';
import classes from './inbox.module.css';
import { INBOX_FILTERS, INBOX_PARAMS, WITHINS, type Within } from './inbox-request.ts';

const WITHIN_WORDS: Record<Within, string> = {
  '1h': 'Within an hour',
  '24h': 'Within a day',
  '7d': 'Within a week',
  '30d': 'Within 30 days',
};

/** What narrows the inbox; all of it is in the address. */
export function InboxFilters() {
  const [search, setSearch] = useQueryState('q', INBOX_FILTERS.q);
  const [, setPage] = useQueryState('page', INBOX_PARAMS.page);
  const toFirstPage = () => void setPage(null);
  const rule = useUrlField('rule', INBOX_FILTERS.rule, toFirstPage);
  const severity = useUrlField('severity', INBOX_FILTERS.severity, toFirstPage);
  const project = useUrlField('project', INBOX_FILTERS.project, toFirstPage);
  const within = useUrlField('within', INBOX_FILTERS.within, toFirstPage);
  const projects = useQuery(useTRPC().project.list.queryOptions()).data ?? [];
  const unlisted = project.value && !projects.includes(project.value) ? [project.value] : [];
  return (
    <search className={classes.filters}>
      <SearchField
        label="Search the name of the run"
        placeholder="Name of the run"
        value={search}
        onSearch={(text) => {
          void setSearch(text);
          toFirstPage();
        }}
      />
      <NativeSelect aria-label="Rule" {...rule} data={choices('Every rule', RULE_NAMES)} />
      <NativeSelect aria-label="Severity" {...severity} data={choices('Every severity', SEVERITIES)} />
      <NativeSelect aria-label="Project" {...project} data={choices('Every project', [...unlisted, ...projects])} />
      <NativeSelect aria-label="Opened" {...within} data={choices('Any time', WITHINS.map(withWords))} />
    </search>
  );
}

function choices(all: string, known: readonly (string | { value: string; label: string })[]) {
  return [{ value: '', label: all }, ...known];
}

function withWords(value: Within) {
  return { value, label: WITHIN_WORDS[value] };
}
