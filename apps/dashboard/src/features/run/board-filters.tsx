'use client';

import { RUN_STATUSES } from '@evenkeel/protocol';
import { Button, NativeSelect, Popover, TextInput } from '@mantine/core';
import { useDebouncedCallback, useHotkeys } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import classes from './board.module.css';
import { FilterChips } from './board-chips.tsx';
import { MoreFilters } from './board-more-filters.tsx';
import type { BoardRequest } from './list-request.ts';

const SEARCH_PAUSE_MS = 200;

export function BoardFilters({ request }: { request: BoardRequest }) {
  const [params, setParams] = useUrlParams();
  const projects = useQuery(useTRPC().project.list.queryOptions()).data ?? [];
  const { project } = request.filter;
  const status = params.get('status') ?? '';
  const several = status.includes(',') ? [{ value: status, label: 'Several statuses' }] : [];
  const known = project === undefined || projects.includes(project) ? projects : [project, ...projects];
  return (
    <>
      <search className={classes.filters}>
        <Search />
        <NativeSelect
          size="xs"
          aria-label="Status"
          value={status}
          data={[{ value: '', label: 'Every status' }, ...several, ...RUN_STATUSES]}
          onChange={({ currentTarget: { value } }) => setParams({ status: value })}
        />
        <NativeSelect
          size="xs"
          aria-label="Project"
          value={project ?? ''}
          data={[{ value: '', label: 'Every project' }, ...known]}
          onChange={({ currentTarget: { value } }) => setParams({ project: value })}
        />
        <Popover position="bottom-end" trapFocus returnFocus shadow="md" width={320}>
          <Popover.Target>
            <Button variant="default" size="xs">
              More…
            </Button>
          </Popover.Target>
          <Popover.Dropdown aria-label="More filters, and groups">
            <MoreFilters request={request} />
          </Popover.Dropdown>
        </Popover>
      </search>
      <FilterChips request={request} />
    </>
  );
}

function Search() {
  const [params, setParams] = useUrlParams();
  const input = useRef<HTMLInputElement>(null);
  const [typing, setTyping] = useState<string | null>(null); // until it is in the address
  const apply = useDebouncedCallback((q: string) => {
    setParams({ q });
    setTyping(null);
  }, SEARCH_PAUSE_MS);
  useHotkeys([['/', () => input.current?.focus()]]);
  return (
    <TextInput
      ref={input}
      type="search"
      size="xs"
      aria-label="Search name, project, owner or tag"
      aria-keyshortcuts="/"
      placeholder="Name, project, owner, tag"
      value={typing ?? params.get('q') ?? ''}
      onChange={({ currentTarget: { value } }) => {
        setTyping(value);
        apply(value);
      }}
    />
  );
}
