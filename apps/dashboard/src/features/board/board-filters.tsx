'use client';

import { RUN_STATUSES } from '@evenkeel/protocol';
import { Button, NativeSelect, Popover } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useQueryState } from 'nuqs';
import { SearchField } from '../../components/search-field.tsx';
import { useUrlField } from '../../components/use-url-field.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { type BoardRequest, FILTER_PARAMS } from '../run/list-request.ts';
import classes from './board.module.css';
import { FilterChips } from './board-chips.tsx';
import { MoreFilters } from './board-more-filters.tsx';

export function BoardFilters({ request }: { request: BoardRequest }) {
  const [search, setSearch] = useQueryState('q', FILTER_PARAMS.q);
  const status = useUrlField('status', FILTER_PARAMS.status);
  const projectField = useUrlField('project', FILTER_PARAMS.project);
  const projects = useQuery(useTRPC().project.list.queryOptions()).data ?? [];
  const { project } = request.filter;
  const several = status.value.includes(',') ? [{ value: status.value, label: 'Several statuses' }] : [];
  const known = project === undefined || projects.includes(project) ? projects : [project, ...projects];
  return (
    <>
      <search className={classes.filters}>
        <SearchField
          label="Search name, project, owner or tag"
          placeholder="Name, project, owner, tag"
          value={search}
          onSearch={setSearch}
        />
        <NativeSelect
          aria-label="Status"
          {...status}
          data={[{ value: '', label: 'Every status' }, ...several, ...RUN_STATUSES]}
        />
        <NativeSelect
          aria-label="Project"
          {...projectField}
          value={project ?? ''}
          data={[{ value: '', label: 'Every project' }, ...known]}
        />
        <Popover position="bottom-end" trapFocus returnFocus shadow="md" width={320}>
          <Popover.Target>
            <Button variant="default" size="xs">
              More…
            </Button>
          </Popover.Target>
          <Popover.Dropdown aria-label="More filters, and groups">
            <MoreFilters />
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
