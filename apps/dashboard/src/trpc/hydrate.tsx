'use client';

import { type DehydratedState, HydrationBoundary } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { stampHere } from './stamp.ts';

/** Takes over what the server has read, as of now: its clock is another, and times are compared here. */
export function HydrateHere({ state, children }: { state: DehydratedState; children: ReactNode }) {
  return <HydrationBoundary state={stampHere(state, Date.now())}>{children}</HydrationBoundary>;
}
