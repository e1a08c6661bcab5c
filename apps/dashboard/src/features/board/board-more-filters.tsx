'use client';

import { writePath } from '@evenkeel/protocol';
import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useQueryState } from 'nuqs';
import { type FormEvent, useRef, useState } from 'react';
import { useUrlField } from '../../components/use-url-field.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { BOARD_PARAMS, configPath, FILTER_PARAMS } from '../run/list-request.ts';
import classes from './board.module.css';

const RISKS = [0.1, 0.25, 0.5, 0.75, 0.9];
const HOURS = [
  ['1', 'the last hour'],
  ['24', 'the last day'],
  ['168', 'the last week'],
  ['720', 'the last 30 days'],
] as const;

/** The filters that are used less, and the key to group by. */
export function MoreFilters() {
  const tags = useQuery(useTRPC().run.tags.queryOptions()).data ?? [];
  const tag = useUrlField('tag', FILTER_PARAMS.tag);
  const risk = useUrlField('risk', FILTER_PARAMS.risk);
  const within = useUrlField('within', FILTER_PARAMS.within);
  const from = useUrlField('from', FILTER_PARAMS.from);
  const before = useUrlField('before', FILTER_PARAMS.before);
  const [isArchived, setArchived] = useQueryState('archived', FILTER_PARAMS.archived);
  return (
    <div className={classes.more}>
      <NativeSelect label="Tag" {...tag} data={choices('Any', tags, tag.value)} />
      <NativeSelect
        label="Min risk"
        {...risk}
        data={[{ value: '', label: 'Any' }, ...RISKS.map((risk) => ({ value: `${risk}`, label: `${risk * 100} %` }))]}
      />
      <ConfigFilterForm />
      <NativeSelect
        label="Started within"
        {...within}
        data={[{ value: '', label: 'Any time' }, ...HOURS.map(([value, label]) => ({ value, label }))]}
      />
      <div className={classes.pair}>
        <TextInput type="date" label="From (UTC)" {...from} />
        <TextInput type="date" label="Before (UTC)" {...before} />
      </div>
      <GroupForm />
      <Checkbox
        size="xs"
        label="Only archived runs"
        checked={isArchived ?? false}
        onChange={({ currentTarget: { checked } }) => setArchived(checked || null)}
      />
    </div>
  );
}

function choices(none: string, known: readonly string[], chosen: string) {
  const all = !chosen || known.includes(chosen) ? known : [chosen, ...known];
  return [{ value: '', label: none }, ...all];
}

function ConfigFilterForm() {
  const [, setFilters] = useQueryState('config', FILTER_PARAMS.config);
  const [key, setKey] = useState('');
  const [value, setValue] = useState('');
  const keyInput = useRef<HTMLInputElement>(null);
  const path = configPath.parse(key);
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (path === null) return;
    void setFilters((filters) => [...filters, { path, value: value.trim() }]);
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
      <Button type="submit" variant="default" size="xs" disabled={path === null}>
        Add
      </Button>
    </form>
  );
}

function GroupForm() {
  const [group, setGroup] = useQueryState('group', BOARD_PARAMS.group);
  const shown = group ? writePath(group) : '';
  return <GroupInput key={shown} shown={shown} onGroup={(key) => void setGroup(configPath.parse(key))} />;
}

function GroupInput({ shown, onGroup }: { shown: string; onGroup: (key: string) => void }) {
  const [key, setKey] = useState(shown);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onGroup(key);
  };
  return (
    <form className={classes.pair} onSubmit={submit}>
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
