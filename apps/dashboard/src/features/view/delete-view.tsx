'use client';

import { Button, Group, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { useTRPC } from '../../trpc/client.tsx';

interface Props {
  /** Of the view that may go; null where there is no question. */
  name: string | null;
  onClose: () => void;
  onDeleted: () => void;
}

export function DeleteView({ name, onClose, onDeleted }: Props) {
  const [shown, setShown] = useState(name); // stays while the dialogue fades
  if (name !== null && name !== shown) setShown(name);
  return (
    <Modal opened={name !== null} onClose={onClose} title={`Delete the view ${shown}?`} centered>
      {shown !== null && <Question {...{ name: shown, onClose, onDeleted }} />}
    </Modal>
  );
}

function Question({ name, onClose, onDeleted }: Props & { name: string }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const remove = useMutation(
    trpc.view.delete.mutationOptions({
      onSuccess: async () => {
        announce(`${name} is deleted`);
        await queries.invalidateQueries(trpc.view.pathFilter());
        onClose();
        onDeleted();
      },
    }),
  );
  return (
    <>
      <p>This removes the view for everyone. Its link still works, and no run is changed.</p>
      {remove.error && <p role="alert">Not deleted: {remove.error.message}.</p>}
      <Group mt="md" justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button color="red.9" loading={remove.isPending} onClick={() => remove.mutate({ name })}>
          Delete the view
        </Button>
      </Group>
    </>
  );
}
