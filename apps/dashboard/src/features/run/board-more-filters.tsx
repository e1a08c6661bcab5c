'use client';

import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useRef, useState } from 'react';
import { useTRPC } from '../../trpc/client.tsx';
import { useUrlParams } from '../../url.ts';
import classes from './board.module.css';
import { type BoardRequest, readPath, writeConfigFilters, writePath } from './list-request.ts';

const RISKS = [0.1, 0.25, 0.5, 0.75, 0.9];
const HOURS = [
  ['1', 'the last hour'],
  ['24', 'the last day'],
  ['168', 'the last week'],
  ['720', 'the last 30 days'],
] as const;

/** The filters that are used less, and the key to group by. */
export function MoreFilters({ request }: { request: BoardRequest }) {
  const [params, setParams] = useUrlParams();
  const tags = useQuery(useTRPC().run.tags.queryOptions()).data ?? [];
  const fieldOf = (name: string) => ({
    size: 'xs' as const,
    value: params.get(name) ?? '',
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) => setParams({ [name]: currentTarget.value }),
  });
  return (
    <div className={classes.more}>
      <NativeSelect label="Tag" {...fieldOf('tag')} data={choices('Any', tags, params.get('tag'))} />
      <NativeSelect
        label="Risk at least"
        {...fieldOf('risk')}
        data={[{ value: '', label: 'Any' }, ...RISKS.map((risk) => ({ value: `${risk}`, label: `${risk * 100} %` }))]}
      />
      <ConfigFilterForm request={request} />
      <NativeSelect
        label="Started within"
        {...fieldOf('within')}
        data={[{ value: '', label: 'Any time' }, ...HOURS.map(([value, label]) => ({ value, label }))]}
      />
      <div className={classes.pair}>
        <TextInput type="date" label="From (UTC)" {...fieldOf('from')} />
        <TextInput type="date" label="Before (UTC)" {...fieldOf('before')} />
      </div>
      <GroupForm key={params.get('group')} request={request} />
      <Checkbox
        size="xs"
        label="Only runs that are put away"
        checked={params.has('archived')}
        onChange={({ currentTarget: { checked } }) => setParams({ archived: checked ? '1' : null })}
      />
    </div>
  );
}

function choices(none: string, known: readonly string[], chosen: string | null) {
  const all = !chosen || known.includes(chosen) ? known : [chosen, ...known];
  return [{ value: '', label: none }, ...all];
}

function ConfigFilterForm({ request }: { request: BoardRequest }) {
  const [, setParams] = useUrlParams();
  const [key, setKey] = useState('');
  const [value, setValue] = useState('');
  const keyInput = useRef<HTMLInputElement>(null);
  const path = readPath(key);
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (path.length === 0) return;
    setParams({ config: writeConfigFilters([...(request.filter.config ?? []), { path, value: value.trim() }]) });
    setKey('');
    setValue('');
    keyInput.current?.focus(); // the button, now without use, would lose the focus to the page
  };
  return (
    <form className={classes.pair} onSubmit={add}>
      <TextInput
        ref={keyInput}
        size="xs"
        label="Config key"
        placeholder="model.layers"
        value={key}
        onChange={({ currentTarget }) => setKey(currentTarget.value)}
      />
      <TextInput
        size="xs"
        label="Is"
        placeholder="4"
        value={value}
        onChange={({ currentTarget }) => setValue(currentTarget.value)}
      />
      <Button type="submit" variant="default" size="xs" disabled={path.length === 0}>
        Add
      </Button>
    </form>
  );
}

function GroupForm({ request }: { request: BoardRequest }) {
  const [, setParams] = useUrlParams();
  const [key, setKey] = useState(request.group ? writePath(request.group) : '');
  const group = (event: FormEvent) => {
    event.preventDefault();
    setParams({ group: writePath(readPath(key)) });
  };
  return (
    <form className={classes.pair} onSubmit={group}>
      <TextInput
        size="xs"
        label="Group by config key"
        placeholder="model.layers"
        value={key}
        onChange={({ currentTarget }) => setKey(currentTarget.value)}
      />
      <Button type="submit" variant="default" size="xs">
        Group
      </Button>
    </form>
  );
}
