import { type PlacedRow, ROW_KEYS, timeOf } from './place-row.ts';
import type { Row } from './row.ts';

/** The step that a run was at from a time on, in milliseconds since 1970. */
export interface StepTime {
  step: number;
  time: number;
}

/**
 * System metrics at the step that the run was at when they were measured, since they have none themselves; null where
 * that was before its first row.
 * @param marks in the order of times.
 */
export function placeSystemMetrics({ values }: Row, marks: readonly StepTime[]): PlacedRow | null {
  const time = timeOf(values);
  const mark = time === null ? marks.at(-1) : lastBefore(marks, time);
  const measured = [...values].filter(([name]) => name !== '_wandb' && !ROW_KEYS.includes(name));
  if (!mark || measured.length === 0) return null;
  return { step: mark.step, time, custom: Object.fromEntries(measured.map(([name, value]) => [nameOf(name), value])) };
}

/** By bisection: a run that is synced sends all of its rows and system metrics at once. */
function lastBefore(marks: readonly StepTime[], time: number): StepTime | undefined {
  let [from, to] = [0, marks.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const mark = marks[middle];
    if (mark && mark.time <= time) from = middle + 1;
    else to = middle;
  }
  return marks[from - 1];
}

/** `system.gpu.0.temp` → `system/gpu.0.temp` */
function nameOf(name: string): string {
  return name.replace(/^system\./, 'system/');
}
