'use client';

import { type Alert, MAX_NOTE_LENGTH } from '@evenkeel/protocol';
import { Button, Group, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type KeyboardEvent, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { formatInstant } from '../../components/format.ts';
import { useYourName, YourName } from '../../components/your-name.tsx';
import { useTRPC } from '../../trpc/client.tsx';
import { Failure } from '../../trpc/failure.tsx';
import classes from './alert-note.module.css';

/** What a person has written about an alert, and who and when. Nothing where nobody has. */
export function AlertNote({ alert: { note, notedBy, notedAt } }: { alert: Alert }) {
  if (note === null || notedAt === null) return null;
  return (
    <div className={classes.note}>
      <p>{note}</p>
      <small>
        {notedBy ?? 'somebody'} · <time dateTime={notedAt.toISOString()}>{formatInstant(notedAt)}</time>
      </small>
    </div>
  );
}

/** @param onClose called once the note is saved, or left as it was. */
export function NoteForm({ alert, onClose }: { alert: Alert; onClose: () => void }) {
  const [by, nameField] = useYourName();
  const [note, setNote] = useState(alert.note ?? '');
  const trpc = useTRPC();
  const queries = useQueryClient();
  const save = useMutation(
    trpc.alert.note.mutationOptions({
      onSuccess: async () => {
        await queries.invalidateQueries(trpc.alert.pathFilter());
        announce('note saved');
        onClose();
      },
    }),
  );
  const send = () => save.mutate({ run: alert.run, id: alert.id, note: note.trim(), by });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onClose();
    else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
    else return;
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of its fields, handled in one place
    <div className={classes.form} onKeyDown={onKeyDown}>
      <Textarea
        label="Note"
        autosize
        minRows={2}
        maxRows={8}
        data-autofocus
        autoFocus
        maxLength={MAX_NOTE_LENGTH}
        value={note}
        onChange={({ currentTarget }) => setNote(currentTarget.value)}
      />
      <Group gap="xs" align="end">
        <YourName size="xs" {...nameField} />
        <Button size="xs" loading={save.isPending} onClick={send}>
          {note.trim() === '' && alert.note !== null ? 'Remove the note' : 'Save the note'}
        </Button>
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
      </Group>
      <Failure what="The note was not saved" error={save.error} />
    </div>
  );
}
