'use client';

import { useSyncExternalStore } from 'react';

const neverChanges = () => () => {};

/** Whether a component renders on the server, or takes over in the browser what that rendered. */
export function useIsHydrating(): boolean {
  return useSyncExternalStore(
    neverChanges,
    () => false,
    () => true,
  );
}
