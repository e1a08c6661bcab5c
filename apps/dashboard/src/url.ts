'use client';

import { usePathname, useSearchParams } from 'next/navigation';
import { useCallback } from 'react';

type Patch = Readonly<Record<string, string | null>>;

/**
 * The query of the address, where a page keeps what it shows, so that a reload or a shared link gives the same view.
 * `set` goes through the browser's history without asking the server; null removes a parameter.
 */
export function useUrlParams(): readonly [URLSearchParams, (patch: Patch, how?: 'push' | 'replace') => void] {
  const params = useSearchParams();
  const path = usePathname();
  const set = useCallback(
    (patch: Patch, how: 'push' | 'replace' = 'replace') => {
      const next = new URLSearchParams(window.location.search);
      for (const [name, value] of Object.entries(patch)) {
        if (value) next.set(name, value);
        else next.delete(name);
      }
      const query = next.toString();
      window.history[`${how}State`](null, '', query ? `${path}?${query}` : path);
    },
    [path],
  );
  return [params, set];
}
