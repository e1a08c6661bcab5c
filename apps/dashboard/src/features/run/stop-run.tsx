'use client';

import { MAX_REASON_LENGTH } from '@evenkeel/protocol';
import { Button, Group, Modal, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import { useTRPC } from '../../trpc/client.tsx';
import { announce } from '../shell/announcer.tsx';

/** Asks once more, because a stopped run does not come back by itself. */
export function StopRun({ run, name }: { run: string; name: string }) {
  const [opened, { open, close }] = useDisclosure();
  const stop = useMutation(
    useTRPC().run.command.mutationOptions({
      onSuccess: () => {
        announce(`${name} was told to stop`);
        close();
      },
    }),
  );
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get('reason')).trim();
    stop.mutate({ run, action: { kind: 'stop' }, ...(reason && { reason }) });
  };
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={open} disabled={stop.isSuccess}>
        {stop.isSuccess ? 'Stopping…' : 'Stop…'}
      </Button>
      <Modal opened={opened} onClose={close} title={`Stop ${name}?`} centered>
        <form onSubmit={submit}>
          <p>The trainer is asked to end after the step it is in. Everything it has sent stays.</p>
          <TextInput
            name="reason"
            label="Reason"
            maxLength={MAX_REASON_LENGTH}
            placeholder="stopped from the dashboard"
          />
          {stop.error && <p role="alert">Not stopped: {stop.error.message}.</p>}
          <Group mt="md" justify="flex-end">
            <Button variant="default" onClick={close}>
              Keep it running
            </Button>
            <Button type="submit" color="red.9" loading={stop.isPending}>
              Stop the run
            </Button>
          </Group>
        </form>
      </Modal>
    </>
  );
}
