'use client';

import { MAX_NAME_LENGTH } from '@evenkeel/protocol';
import { Button, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { useTRPC } from '../../trpc/client.tsx';
import classes from './view.module.css';

interface Props {
  query: string;
  /** Under which it is saved already. */
  name: string | undefined;
  onSaved: () => void;
}

export function SaveView({ query, name, onSaved }: Props) {
  if (query === '') return <p>Search, filter, sort or group the runs, then save that here under a name.</p>;
  if (name !== undefined) return <p>What you see is saved as {name}.</p>;
  return <SaveForm query={query} onSaved={onSaved} />;
}

function SaveForm({ query, onSaved }: { query: string; onSaved: () => void }) {
  const [name, setName] = useState('');
  const trpc = useTRPC();
  const queries = useQueryClient();
  const save = useMutation(
    trpc.view.save.mutationOptions({
      onSuccess: async (saved) => {
        announce(`${saved.name} is saved`);
        await queries.invalidateQueries(trpc.view.pathFilter());
        onSaved();
      },
    }),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ name, query });
  };
  return (
    <form onSubmit={submit} className={classes.form}>
      <TextInput
        size="xs"
        label="Save this view as"
        placeholder="seen by all who use this server"
        maxLength={MAX_NAME_LENGTH}
        value={name}
        error={save.error?.message}
        onChange={({ currentTarget }) => setName(currentTarget.value)}
      />
      <Button type="submit" variant="default" size="xs" disabled={name.trim() === ''} loading={save.isPending}>
        Save
      </Button>
    </form>
  );
}
