'use client';

import { useSyncExternalStore } from 'react';
import { announce } from '../shell/announcer.tsx';
import { MOST_RUNS } from './compare-params.ts';

/** Runs that are marked to be compared, in the order of marking. Kept while one goes from list to list and back. */
let chosen: readonly string[] = [];
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function choose(next: readonly string[]): void {
  chosen = next;
  for (const listener of listeners) listener();
}

/** Marks a run, or no longer. */
export function toggleChosen(id: string): void {
  const isMarked = chosen.includes(id);
  if (!isMarked && chosen.length >= MOST_RUNS) {
    announce(`${MOST_RUNS} runs are marked; no more can be compared`);
    return;
  }
  choose(isMarked ? chosen.filter((other) => other !== id) : [...chosen, id]);
  announce(chosen.length === 1 ? '1 run is marked' : `${chosen.length} runs are marked`);
}

export function clearChosen(): void {
  choose([]);
}

const NONE: readonly string[] = [];

export function useChosen(): readonly string[] {
  return useSyncExternalStore(
    subscribe,
    () => chosen,
    () => NONE,
  );
}

export function useIsChosen(id: string): boolean {
  return useSyncExternalStore(
    subscribe,
    () => chosen.includes(id),
    () => false,
  );
}
