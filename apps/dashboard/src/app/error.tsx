'use client';

import { Button, Group } from '@mantine/core';
import Link from 'next/link';
import { Message } from '../components/message.tsx';

export default function ErrorPage({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  const action = (
    <Group>
      <Button onClick={reset}>Try again</Button>
      <Link href="/">See all runs</Link>
    </Group>
  );
  return (
    <Message title="This page could not be shown" action={action}>
      {error.digest ? `The server log has the reason, under ${error.digest}.` : error.message} Training goes on, and
      nothing that was stored is lost.
    </Message>
  );
}
