'use client';

import { MAX_NOTES_LENGTH, MAX_TAG_LENGTH, MAX_TAGS } from '@evenkeel/protocol';
import { Button, Group, TagsInput, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type KeyboardEvent, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { useYourName, YourName } from '../../components/your-name.tsx';
import { type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { Failure } from '../../trpc/failure.tsx';
import classes from './run-facts.module.css';

/** @param onClose called once tags and notes are saved, or left as they were. */
export function DescriptionForm({ run, onClose }: { run: RunDetail; onClose: () => void }) {
  const [by, nameField] = useYourName();
  const [first] = useState({ tags: run.tags, notes: run.notes });
  const [tags, setTags] = useState(first.tags);
  const [notes, setNotes] = useState(first.notes);
  const { save, error, isPending } = useSave(run, onClose);
  const changes = {
    ...(notes !== first.notes && { notes }),
    ...(JSON.stringify(tags) !== JSON.stringify(first.tags) && { tags }),
  };
  const isChanged = Object.keys(changes).length > 0;
  const send = () => (isChanged ? save({ ...changes, by }) : onClose());
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of its fields, handled in one place
    <div className={classes.form} onKeyDown={onKeyDown}>
      <TagsInput
        label="Tags"
        description="Enter after each"
        maxTags={MAX_TAGS}
        acceptValueOnBlur
        value={tags}
        onChange={(next) => setTags(next.map((tag) => tag.slice(0, MAX_TAG_LENGTH)))}
      />
      <Textarea
        label="Notes"
        description="Markdown"
        autosize
        minRows={6}
        maxRows={24}
        autoFocus
        maxLength={MAX_NOTES_LENGTH}
        value={notes}
        onChange={({ currentTarget }) => setNotes(currentTarget.value)}
      />
      <p className={classes.edited}>What you change here stays, whatever later attempts of the run send.</p>
      <Group gap="xs" align="end">
        <YourName size="xs" {...nameField} />
        <Button size="xs" loading={isPending} disabled={!isChanged} onClick={send}>
          Save
        </Button>
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
      </Group>
      <Failure what="Not saved" error={error} />
    </div>
  );
}

function useSave({ id, name }: RunDetail, onSaved: () => void) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const { mutate, error, isPending } = useMutation(
    trpc.run.describe.mutationOptions({
      onSuccess: async () => {
        await queries.invalidateQueries(trpc.run.pathFilter());
        announce(`tags and notes of ${name} are saved`);
        onSaved();
      },
    }),
  );
  type Changes = Omit<Parameters<typeof mutate>[0], 'run'>;
  return { save: (changes: Changes) => mutate({ run: id, ...changes }), error, isPending };
}
