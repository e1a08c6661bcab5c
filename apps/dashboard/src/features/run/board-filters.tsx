'use client';

import { RUN_STATUSES } from '@evenkeel/protocol';
import { Button, NativeSelect, Popover } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import { SearchField } from '../shell/search-field.tsx';
import classes from './board.module.css';
import { FilterChips } from './board-chips.tsx';
import { MoreFilters } from './board-more-filters.tsx';
import type { BoardRequest } from './list-request.ts';

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
        <SearchField label="Search name, project, owner or tag" placeholder="Name, project, owner, tag" />
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
        {project !== undefined && projects.includes(project) && (
          <Link className={classes.rules} href={`/projects/${encodeURIComponent(project)}/rules`}>
            Rules of {project}
          </Link>
        )}
      </search>
      <FilterChips request={request} />
    </>
  );
}
