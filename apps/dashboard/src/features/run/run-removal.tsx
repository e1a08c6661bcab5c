'use client';

import { Button, Group, Modal, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { type FormEvent, useRef, useState } from 'react';
import { type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { useOfferedActions } from '../palette/page-actions.ts';
import { announce } from '../shell/announcer.tsx';
import { useYourName } from '../shell/your-name.tsx';
import classes from './run-facts.module.css';

/** Putting a run away, which can be undone, and deleting it, which cannot. */
export function RunRemoval({ run }: { run: RunDetail }) {
  const [by] = useYourName();
  const trpc = useTRPC();
  const queries = useQueryClient();
  const archive = useMutation(
    trpc.run.archive.mutationOptions({
      onSuccess: async (_, { archived }) => {
        announce(archived ? `${run.name} is archived` : `${run.name} is back`);
        await queries.invalidateQueries(trpc.run.pathFilter());
      },
    }),
  );
  const isArchived = run.archivedAt !== null;
  const button = useRef<HTMLButtonElement>(null);
  // Only shown: there is no question before it.
  useOfferedActions([
    { name: isArchived ? 'Bring this run back' : 'Archive or delete this run', act: () => button.current?.focus() },
  ]);
  return (
    <section>
      <h2>{isArchived ? 'Archived' : 'Put away'}</h2>
      <p className={classes.notes}>
        {isArchived
          ? 'This run is in no list. Everything of it is kept.'
          : 'An archived run is in no list any more; everything of it is kept, and it can be brought back.'}
      </p>
      {archive.error && <p role="alert">{archive.error.message}</p>}
      <Group gap="xs">
        <Button
          ref={button}
          size="compact-sm"
          variant="default"
          loading={archive.isPending}
          onClick={() => archive.mutate({ run: run.id, archived: !isArchived, by })}
        >
          {isArchived ? 'Bring it back' : 'Archive'}
        </Button>
        <DeleteRun run={run} />
      </Group>
    </section>
  );
}

/** The run's name has to be typed: what is deleted is gone. */
function DeleteRun({ run: { id, name, status } }: { run: RunDetail }) {
  const [opened, { open, close }] = useDisclosure();
  const [typed, setTyped] = useState('');
  const trpc = useTRPC();
  const queries = useQueryClient();
  const router = useRouter();
  const remove = useMutation(
    trpc.run.delete.mutationOptions({
      onSuccess: () => {
        announce(`${name} is deleted`);
        router.push('/');
        void queries.invalidateQueries(trpc.run.list.pathFilter());
      },
    }),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    remove.mutate({ run: id, name: typed });
  };
  return (
    <>
      <Button size="compact-sm" variant="default" disabled={status === 'running'} onClick={open}>
        Delete…
      </Button>
      <Modal opened={opened} onClose={close} title={`Delete ${name}?`} centered>
        <form onSubmit={submit}>
          <p>All steps, alerts and commands of this run go, for good. Type its name to say that you mean it.</p>
          <TextInput
            label="Name of the run"
            placeholder={name}
            value={typed}
            onChange={({ currentTarget }) => setTyped(currentTarget.value)}
          />
          {remove.error && <p role="alert">Not deleted: {remove.error.message}.</p>}
          <Group mt="md" justify="flex-end">
            <Button variant="default" onClick={close}>
              Keep it
            </Button>
            <Button type="submit" color="red.9" disabled={typed !== name} loading={remove.isPending}>
              Delete for good
            </Button>
          </Group>
        </form>
      </Modal>
    </>
  );
}
