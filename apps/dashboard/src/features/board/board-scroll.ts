'use client';

import { useDebouncedCallback } from '@mantine/hooks';
import { type RefObject, useLayoutEffect } from 'react';

const OFFSET = 'evenkeelBoardOffset';
const PAUSE_MS = 150;

/**
 * Keeps in the entry of the browser's history how far the list is scrolled, so that the way back leads to the same rows. A
 * click keeps it at once: it may lead to another page.
 */
export function useKeptScroll(list: RefObject<HTMLElement | null>) {
  useLayoutEffect(() => {
    const offset: unknown = window.history.state?.[OFFSET];
    if (typeof offset === 'number') list.current?.scrollTo({ top: offset });
  }, [list]);
  const keep = useDebouncedCallback(() => {
    if (!list.current) return;
    window.history.replaceState({ ...window.history.state, [OFFSET]: list.current.scrollTop }, '');
  }, PAUSE_MS);
  return { onScroll: keep, onClickCapture: keep.flush };
}
