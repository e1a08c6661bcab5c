'use client';

import { RUN_STATUSES } from '@evenkeel/protocol';
import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useState } from 'react';
import { useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import classes from './board.module.css';

const SEARCH_PAUSE_MS = 200;

export function BoardFilters() {
  const [params, setParams] = useUrlParams();
  const projects = useQuery(useTRPC().project.list.queryOptions()).data ?? [];
  const project = params.get('project') ?? '';
  const [typing, setTyping] = useState<string | null>(null); // until it is in the address
  const apply = useDebouncedCallback((q: string) => {
    setParams({ q });
    setTyping(null);
  }, SEARCH_PAUSE_MS);
  return (
    <search className={classes.filters}>
      <TextInput
        type="search"
        size="xs"
        aria-label="Search name, project, owner or tag"
        placeholder="Name, project, owner, tag"
        value={typing ?? params.get('q') ?? ''}
        onChange={({ currentTarget: { value } }) => {
          setTyping(value);
          apply(value);
        }}
      />
      <NativeSelect
        size="xs"
        aria-label="Project"
        value={project}
        data={[
          { value: '', label: 'Every project' },
          ...(project && !projects.includes(project) ? [project] : []),
          ...projects,
        ]}
        onChange={({ currentTarget: { value } }) => setParams({ project: value })}
      />
      {project && <Link href={`/projects/${encodeURIComponent(project)}/rules`}>Rules</Link>}
      <NativeSelect
        size="xs"
        aria-label="Status"
        value={params.get('status') ?? ''}
        data={[{ value: '', label: 'Every status' }, ...RUN_STATUSES]}
        onChange={({ currentTarget: { value } }) => setParams({ status: value })}
      />
    </search>
  );
}
