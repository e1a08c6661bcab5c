'use client';

import { Button, Group, Modal, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { type FormEvent, useRef, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { useOfferedActions } from '../../components/page-actions.ts';
import { useYourName } from '../../components/your-name.tsx';
import { type RunDetail, useTRPC } from '../../trpc/client.tsx';
import classes from './run-facts.module.css';

/** Archives a run, which can be undone, or deletes it, which cannot. */
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
    { name: isArchived ? 'Restore this run' : 'Archive or delete this run', act: () => button.current?.focus() },
  ]);
  return (
    <section>
      <h2>{isArchived ? 'Archived' : 'Archive'}</h2>
      <p className={classes.notes}>
        {isArchived
          ? 'This run is hidden from all lists. All its data is kept.'
          : 'An archived run is hidden from all lists. All its data is kept, and it can be restored.'}
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
          {isArchived ? 'Restore' : 'Archive'}
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
          <p>This deletes all steps, alerts and commands of the run for good. Type its name to confirm.</p>
          <TextInput
            label="Name of the run"
            placeholder={name}
            value={typed}
            onChange={({ currentTarget }) => setTyped(currentTarget.value)}
          />
          {remove.error && <p role="alert">Not deleted: {remove.error.message}.</p>}
          <Group mt="md" justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
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
