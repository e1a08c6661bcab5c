'use client';

import type { ProjectNames } from '@evenkeel/protocol';
import { Button, NativeSelect } from '@mantine/core';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import Link from 'next/link';
import { useQueryStates } from 'nuqs';
import { type FormEvent, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { Message } from '../../components/message.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { useUnsavedWarning } from '../../components/unsaved-warning.ts';
import { useTRPC } from '../../trpc/client.tsx';
import classes from './names.module.css';
import { becameWords, choiceOf, choicesOf, choose, isSame, type NameRow, rowsOf } from './names-form.ts';
import { NAMES_PARAMS, namesRequest } from './names-request.ts';

/** Which names the runs of a project report, what they became, and what they are to stand for. */
export function NamesPage({ project }: { project: string }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [{ q }, setParams] = useQueryStates(NAMES_PARAMS);
  const { data, error } = useQuery({
    ...trpc.project.names.queryOptions(namesRequest(project, q)),
    placeholderData: keepPreviousData,
  });
  const [edited, setEdited] = useState<ProjectNames | null>(null);
  const save = useMutation(
    trpc.project.setNames.mutationOptions({
      onSuccess: async () => {
        await queries.invalidateQueries(trpc.project.names.pathFilter());
        setEdited(null);
        announce('the names are saved');
      },
    }),
  );
  const saved = data?.settings ?? {};
  const set = edited ?? saved;
  const isChanged = !isSame(set, saved);
  useUnsavedWarning(isChanged);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ project, names: set });
  };
  const edit = (name: string, choice: string) => {
    save.reset();
    setEdited(choose(set, name, choice));
  };
  return (
    <form onSubmit={submit} noValidate className={classes.page}>
      <p className={classes.path}>
        <Link href="/">Runs</Link> / <Link href={`/?project=${encodeURIComponent(project)}`}>{project}</Link> ·{' '}
        <Link href={`/projects/${encodeURIComponent(project)}/rules`}>Rules</Link>
      </p>
      <h1>Names of {project}</h1>
      <p className={classes.intro}>
        Trainers that send through another tracker’s client call their metrics as they like. Here is what the names that
        the newest 50 runs reported became, and what each is to stand for. In a run the first name that is reported
        stands for a field, for good: a change applies to what runs have not decided yet.
      </p>
      <SearchField
        label="Search names"
        placeholder="Search names"
        value={q}
        onSearch={(text) => setParams({ q: text })}
      />
      {error && !data && <Message title="The names could not be read">{error.message}.</Message>}
      {data && <NamesTable rows={rowsOf(data.reported.names, set, q)} search={q} set={set} onChoose={edit} />}
      {data && data.reported.total > data.reported.names.length && (
        <p className={classes.more}>
          {data.reported.names.length} of {data.reported.total} names: search for the others.
        </p>
      )}
      <div className={classes.save}>
        <Button type="submit" disabled={!isChanged} loading={save.isPending}>
          Save
        </Button>
        <Button variant="default" disabled={!isChanged} onClick={() => setEdited(null)}>
          Undo changes
        </Button>
        <span role="status">{stateWords(isChanged, save.isSuccess, save.error)}</span>
      </div>
    </form>
  );
}

interface TableProps {
  rows: readonly NameRow[];
  search: string | null;
  set: ProjectNames;
  onChoose: (name: string, choice: string) => void;
}

function NamesTable({ rows, search, set, onChoose }: TableProps) {
  if (rows.length === 0) {
    return (
      <p className={classes.more}>
        {search
          ? 'No run has reported such a name.'
          : 'These runs have reported no names that could stand for a field.'}
      </p>
    );
  }
  return (
    <table className={classes.table}>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Became</th>
          <th scope="col">Stands for</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            <td>{becameWords(row)}</td>
            <td>
              <NativeSelect
                size="xs"
                aria-label={`${row.name} stands for`}
                data={choicesOf(row.name)}
                value={choiceOf(set, row.name)}
                data-set={Object.hasOwn(set, row.name) || undefined}
                onChange={({ currentTarget }) => onChoose(row.name, currentTarget.value)}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function stateWords(isChanged: boolean, isSaved: boolean, error: { message: string } | null): string {
  if (error) return `Not saved: ${error.message}`;
  if (isChanged) return 'Not saved yet';
  return isSaved ? 'Saved' : '';
}
