'use client';

import { useQueryState, useQueryStates } from 'nuqs';
import { type Scale, type StepRange, scaleOf, VIEW_PARAMS, withScale } from './view-params.ts';

const RANGE = { from: VIEW_PARAMS.from, to: VIEW_PARAMS.to };

/** Shows other steps, or all of them with null; the way back leads to those before. */
export function useZoom(): (range: StepRange | null) => void {
  const [, setRange] = useQueryStates(RANGE, { history: 'push' });
  return (range) => void setRange({ from: range?.from ?? null, to: range?.to ?? null });
}

/** The y axis of each chart, by the chart's key. */
export function useScales() {
  const [chosen, setChosen] = useQueryState('scale', VIEW_PARAMS.scale);
  return (key: string) => ({
    scale: scaleOf(chosen, key),
    onScale: (scale: Scale) => void setChosen((former) => withScale(former, key, scale)),
  });
}
