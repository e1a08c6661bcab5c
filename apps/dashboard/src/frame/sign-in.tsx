'use client';

import { Button, PasswordInput, Stack } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import { Message } from '../components/message.tsx';
import { nextPath } from './next-path.ts';

export function SignIn() {
  const signIn = useMutation({ mutationFn: openSession, onSuccess: goOn });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    signIn.mutate(String(new FormData(event.currentTarget).get('token')));
  };
  const form = (
    // By POST, so that a token which is sent before the page has come to life is in no address.
    <form method="post" onSubmit={submit}>
      <Stack maw={400}>
        <PasswordInput
          name="token"
          label="Access token"
          autoComplete="current-password"
          required
          data-autofocus
          error={signIn.error?.message}
        />
        <Button type="submit" loading={signIn.isPending || signIn.isSuccess}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
  return (
    <Message title="Sign in to Evenkeel" action={form}>
      Whoever started this server has the token: it is the value of <code>EVENKEEL_ACCESS_TOKEN</code>. This browser
      remembers it.
    </Message>
  );
}

async function openSession(token: string): Promise<void> {
  const response = await fetch('/api/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  if (response.ok) return;
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  throw new Error(error ?? `The server answered ${response.status}; try again in a moment.`);
}

/** By a whole load, so that every query and the live connection start over with the cookie. */
function goOn(): void {
  const next = new URLSearchParams(window.location.search).get('next');
  window.location.assign(nextPath(next, window.location.origin));
}
