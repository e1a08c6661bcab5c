'use client';

import { Button, CloseButton, Popover, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useState } from 'react';
import { type SavedView, useTRPC } from '../../trpc/client.tsx';
import { boardQuery, loadBoard } from '../run/list-request.ts';
import { DeleteView } from './delete-view.tsx';
import { SaveView } from './save-view.tsx';
import classes from './view.module.css';

/**
 * The views that the lab keeps, and the one on the screen to be kept.
 * @param here the query of the board as it is.
 */
export function SavedViews({ here }: { here: string }) {
  const [opened, { close, toggle }] = useDisclosure();
  const [deleting, setDeleting] = useState<string | null>(null);
  const { data: views, error, refetch } = useQuery(useTRPC().view.list.queryOptions());
  const current = views?.find(({ query }) => isSame(query, here));
  const turn = () => {
    if (!opened) void refetch(); // others keep views, too
    toggle();
  };
  return (
    <>
      <Popover
        opened={opened}
        onDismiss={close}
        closeOnClickOutside={deleting === null}
        position="bottom-start"
        trapFocus
        returnFocus
        shadow="md"
        width={320}
        zIndex={150} // below the question before a view is deleted
      >
        <Popover.Target>
          <UnstyledButton className={classes.open} onClick={turn} data-current={current !== undefined}>
            <span>{current?.name ?? 'Saved'}</span>{' '}
            <VisuallyHidden>{current ? '(saved view)' : 'views'}</VisuallyHidden>
            <span aria-hidden="true">▾</span>
          </UnstyledButton>
        </Popover.Target>
        <Popover.Dropdown className={classes.views}>
          {views && <ViewList {...{ views, here, onChosen: close, onDelete: setDeleting }} />}
          {error && !views && <Unread error={error.message} retry={() => void refetch()} />}
          <SaveView query={here} name={current?.name} onSaved={close} />
        </Popover.Dropdown>
      </Popover>
      <DeleteView name={deleting} onClose={() => setDeleting(null)} onDeleted={close} />
    </>
  );
}

function Unread({ error, retry }: { error: string; retry: () => void }) {
  return (
    <p role="alert">
      The views could not be read: {error}.{' '}
      <Button variant="subtle" size="compact-xs" onClick={retry}>
        Try again
      </Button>
    </p>
  );
}

function isSame(query: string, here: string): boolean {
  return boardQuery(loadBoard(query)) === here;
}

interface ViewListProps {
  views: readonly SavedView[];
  here: string;
  onChosen: () => void;
  onDelete: (name: string) => void;
}

function ViewList({ views, here, onChosen, onDelete }: ViewListProps) {
  if (views.length === 0) return <p>No view is saved yet. Whoever uses this server finds here what is.</p>;
  return (
    <ul className={classes.list}>
      {views.map(({ name, query }) => (
        <li key={name}>
          <Link
            href={`/?${query}`}
            title={name}
            aria-current={isSame(query, here) ? 'page' : undefined}
            onClick={onChosen}
          >
            {name}
          </Link>
          <CloseButton size="sm" aria-label={`Delete ${name}`} onClick={() => onDelete(name)} />
        </li>
      ))}
    </ul>
  );
}
