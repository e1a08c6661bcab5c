'use client';

import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** Pixels from the end that still count as the end: scaled screens have fractions. */
const NEAR_END = 8;

/** Keeps what scrolls at its end while it grows, until somebody scrolls up. Its one child holds the content. */
export function useFollow(scroller: RefObject<HTMLElement | null>) {
  const [isFollowing, setFollowing] = useState(true);
  const follows = useRef(true);
  const set = useCallback((next: boolean) => {
    follows.current = next;
    setFollowing(next);
  }, []);
  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, [scroller]);
  useLayoutEffect(toEnd, [toEnd]);
  useEffect(() => {
    const content = scroller.current?.firstElementChild;
    if (!content) return;
    const observer = new ResizeObserver(toEnd);
    observer.observe(content);
    return () => observer.disconnect();
  }, [scroller, toEnd]);
  const join = useCallback(() => {
    set(true);
    toEnd();
  }, [set, toEnd]);
  const leave = useCallback(() => set(false), [set]);
  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (element) set(element.scrollHeight - element.clientHeight - element.scrollTop < NEAR_END);
  }, [scroller, set]);
  return { isFollowing, join, leave, onScroll };
}
