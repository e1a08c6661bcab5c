'use client';

import { Kbd, Modal, UnstyledButton } from '@mantine/core';
import { useDisclosure, useHotkeys, useOs } from '@mantine/hooks';
import { usePathname } from 'next/navigation';
import { useRef } from 'react';
import classes from './palette.module.css';
import { PaletteSearch } from './palette-search.tsx';

/** Finds a run, a page or something to do, on Ctrl+K or ⌘K. */
export function Palette() {
  const [opened, { open, close }] = useDisclosure();
  const before = useRef<HTMLElement | null>(null);
  const isSignedIn = usePathname() !== '/signin';
  const show = () => {
    if (document.querySelector('[aria-modal="true"]')) return; // another dialogue asks for an answer first
    before.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    open();
  };
  // The focus is back before anything is done, so that a dialogue that opens next finds where to return it to.
  const leave = (act?: () => void) => {
    close();
    before.current?.focus({ preventScroll: true });
    act?.();
  };
  useHotkeys([['mod+K', () => (opened ? leave() : isSignedIn && show())]], []);
  const isMac = ['macos', 'ios'].includes(useOs());
  if (!isSignedIn) return null;
  return (
    <>
      <UnstyledButton
        className={classes.open}
        onClick={show}
        title="Find a run, a page or an action"
        aria-keyshortcuts="Control+K Meta+K"
      >
        <Lens />
        <span className={classes.word}>Find</span>
        <Kbd size="xs">{isMac ? '⌘ K' : 'Ctrl K'}</Kbd>
      </UnstyledButton>
      <Modal.Root
        opened={opened}
        onClose={leave}
        classNames={{ content: classes.palette }}
        returnFocus={false}
        transitionProps={{ duration: 0 }}
        size={600}
        yOffset="12dvh"
      >
        <Modal.Overlay />
        <Modal.Content aria-label="Find a run, a page or an action">
          <PaletteSearch onChosen={leave} />
        </Modal.Content>
      </Modal.Root>
    </>
  );
}

function Lens() {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="none" stroke="currentColor">
      <path d="M10.2 10.2 14 14M6.5 2a4.5 4.5 0 1 0 .01 0z" strokeWidth="1.5" />
    </svg>
  );
}
