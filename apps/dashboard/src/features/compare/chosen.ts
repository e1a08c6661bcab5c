'use client';

import { useSyncExternalStore } from 'react';
import { announce } from '../../components/announcer.tsx';
import { askedRuns, MAX_RUNS } from './compare-params.ts';

const KEY = 'evenkeel.marked';

/** Runs that are marked to be compared, in the order of marking. The tab keeps them, as one goes about and reloads. */
let chosen: readonly string[] | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function read(): readonly string[] {
  chosen ??= askedRuns(remembered().split(',')).ids;
  return chosen;
}

function remembered(): string {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return ''; // a browser may forbid it
  }
}

function remember(ids: readonly string[]): void {
  try {
    sessionStorage.setItem(KEY, ids.join(','));
  } catch {
    // likewise: the marks are kept until the page is left
  }
}

function choose(next: readonly string[]): void {
  chosen = next;
  remember(next);
  for (const listener of listeners) listener();
}

/** Marks a run, or no longer. */
export function toggleChosen(id: string): void {
  const marked = read();
  const isMarked = marked.includes(id);
  if (!isMarked && marked.length >= MAX_RUNS) {
    announce(`${MAX_RUNS} runs are marked; no more can be compared`);
    return;
  }
  const next = isMarked ? marked.filter((other) => other !== id) : [...marked, id];
  choose(next);
  announce(next.length === 1 ? '1 run is marked' : `${next.length} runs are marked`);
}

export function clearChosen(): void {
  choose([]);
}

const NONE: readonly string[] = [];

export function useChosen(): readonly string[] {
  return useSyncExternalStore(subscribe, read, () => NONE);
}

export function useIsChosen(id: string): boolean {
  return useSyncExternalStore(
    subscribe,
    () => read().includes(id),
    () => false,
  );
}
