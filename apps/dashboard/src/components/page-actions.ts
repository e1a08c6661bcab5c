'use client';

import { useEffect, useRef } from 'react';

/** Something that can be done on the page that is open. */
export interface PageAction {
  name: string;
  act: () => void;
}

const offers = new Set<{ current: readonly PageAction[] }>();

/** Puts actions into the palette for as long as the component is there. */
export function useOfferedActions(actions: readonly PageAction[]): void {
  const offer = useRef(actions);
  useEffect(() => {
    offer.current = actions;
  });
  useEffect(() => {
    offers.add(offer);
    return () => void offers.delete(offer);
  }, []);
}

export function offeredActions(): PageAction[] {
  return [...offers].flatMap(({ current }) => current);
}
