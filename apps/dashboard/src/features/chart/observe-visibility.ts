/** How far outside the window something still counts as in view, so that it is there when it is scrolled to. */
const MARGIN = '300px';

/** Runs `start` when an element comes near the window, and what that returned when it leaves. */
export function observeVisibility(element: Element, start: () => () => void): () => void {
  let stop: (() => void) | null = null;
  const observer = new IntersectionObserver(
    (entries) => {
      const isNear = entries.at(-1)?.isIntersecting ?? false;
      if (isNear) stop ??= start();
      else {
        stop?.();
        stop = null;
      }
    },
    { rootMargin: MARGIN },
  );
  observer.observe(element);
  return () => {
    observer.disconnect();
    stop?.();
  };
}
