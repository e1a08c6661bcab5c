'use client';

import { VisuallyHidden } from '@mantine/core';
import { useSyncExternalStore } from 'react';

let text = '';
const listeners = new Set<() => void>();

/** Has screen readers report what changed on the page, when they pause. */
export function announce(next: string): void {
  text = next;
  for (const listener of listeners) listener();
}

export function Announcer() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => text,
    () => '',
  );
  return <VisuallyHidden aria-live="polite">{shown}</VisuallyHidden>;
}
