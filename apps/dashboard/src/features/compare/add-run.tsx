'use client';

import { Combobox, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, skipToken, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { type RunSummary, useTRPC } from '../../trpc/client.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import classes from './compare.module.css';
import { MAX_RUNS } from './compare-params.ts';

const SEARCH_PAUSE_MS = 200;
/** Fewer than a screen; who wants another types more of its name. */
const SHOWN = 30;

interface Props {
  /** Runs that are compared already. */
  ids: readonly string[];
  /** Whether there is nothing else to do on the page yet. */
  takesFocus: boolean;
  onAdd: (id: string) => void;
}

/** Finds a run by its name, project, owner or tag. */
export function AddRun({ ids, takesFocus, onAdd }: Props) {
  const [search, setSearch] = useState('');
  const store = useCombobox({ onDropdownClose: () => store.resetSelectedOption() });
  const input = useRef<HTMLInputElement>(null);
  const isFull = ids.length >= MAX_RUNS;
  const found = useFound(search, store.dropdownOpened)?.filter(({ id }) => !ids.includes(id));
  useEffect(() => {
    if (takesFocus) input.current?.focus();
  }, [takesFocus]);
  const add = (id: string) => {
    announce(`${found?.find((run) => run.id === id)?.name ?? 'The run'} is added`);
    onAdd(id);
    setSearch('');
    store.closeDropdown();
  };
  return (
    <Combobox store={store} onOptionSubmit={add} position="bottom-end" width={360}>
      <Combobox.Target>
        <TextInput
          ref={input}
          type="search"
          size="xs"
          className={classes.add}
          aria-label="Add a run"
          placeholder={isFull ? `${MAX_RUNS} runs at most` : 'Add a run: name, project, owner, tag'}
          disabled={isFull}
          value={search}
          onClick={() => store.openDropdown()}
          onBlur={() => store.closeDropdown()}
          onChange={({ currentTarget: { value } }) => {
            setSearch(value);
            store.openDropdown();
            store.updateSelectedOptionIndex();
          }}
        />
      </Combobox.Target>
      <Results found={found} />
    </Combobox>
  );
}

function Results({ found }: { found: readonly RunSummary[] | undefined }) {
  return (
    <Combobox.Dropdown>
      <Combobox.Options className={classes.options} aria-label="Runs to add">
        {found?.map((run) => (
          <Found key={run.id} run={run} />
        ))}
        {found?.length === 0 && <Combobox.Empty>No other run matches.</Combobox.Empty>}
        {!found && <Combobox.Empty>Reading the runs…</Combobox.Empty>}
      </Combobox.Options>
    </Combobox.Dropdown>
  );
}

function useFound(typed: string, isOpen: boolean): RunSummary[] | undefined {
  const [search] = useDebouncedValue(typed.trim(), SEARCH_PAUSE_MS);
  const input = isOpen ? { limit: SHOWN, ...(search && { search }) } : skipToken;
  return useQuery(useTRPC().run.list.queryOptions(input, { placeholderData: keepPreviousData })).data?.runs;
}

function Found({ run: { id, name, project, status } }: { run: RunSummary }) {
  return (
    <Combobox.Option value={id} className={classes.option}>
      <span className={classes.optionName}>{name}</span>
      <span className={classes.project}>{project}</span>
      <RunStatusMark status={status} />
    </Combobox.Option>
  );
}
