'use client';

import { type FocusEvent, type KeyboardEvent, type RefObject, useEffect, useRef, useState } from 'react';
import type { BoardLayout } from './board-layout.ts';

export type RowKeys = ReturnType<typeof useRowKeys>;

/**
 * Arrow keys, Page up and down, Home and End go from run to run. The Tab key comes to one run only, the active one.
 * @param scroll what holds the rows, each with its number in `data-number`; it has the focus until a run is read.
 */
export function useRowKeys(scroll: RefObject<HTMLElement | null>, { runs }: BoardLayout, rowHeight: number) {
  const [chosen, setChosen] = useState(0);
  const active = Math.min(chosen, Math.max(0, runs - 1));
  /** The run that the focus is on its way to, until its row is there. Not `active`: an effect may be of a render before. */
  const goal = useRef<number>(null);
  useEffect(() => {
    if (goal.current === null) return;
    const link = scroll.current?.querySelector<HTMLElement>(`[data-number="${goal.current}"] a`);
    (link ?? scroll.current)?.focus({ preventScroll: true });
    if (link) goal.current = null;
  });
  const onKeyDown = (event: KeyboardEvent, show: (run: number) => void) => {
    const { key, altKey, ctrlKey, metaKey } = event;
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? 0) / rowHeight) - 2);
    const moves: Record<string, number> = {
      ...{ ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page },
      ...{ Home: 0, End: runs - 1 },
    };
    const target = moves[key];
    if (target === undefined || runs === 0 || altKey || ctrlKey || metaKey) return;
    event.preventDefault();
    const enters = goal.current === null && numberOf(event.target) === null && key.startsWith('Arrow');
    const next = enters ? active : Math.max(0, Math.min(target, runs - 1));
    goal.current = next;
    setChosen(next);
    show(next);
  };
  const onFocus = ({ target }: FocusEvent) => {
    const number = numberOf(target);
    if (number === null) return;
    goal.current = null;
    setChosen(number);
  };
  return { active, onKeyDown, onFocus };
}

/** Of the run whose row something is in. */
function numberOf(target: EventTarget): number | null {
  const row = target instanceof Element ? target.closest<HTMLElement>('[data-number]') : null;
  return row && Number(row.dataset.number);
}
