import { z } from 'zod';
import { ruleName, severity } from './alert.ts';
import { runId, runStatus } from './run.ts';
import { wireNumber } from './step.ts';

/** `watch` and `unwatch`: which runs' steps a viewer wants; the board needs no watching. */
export const watchRequest = z.object({ run: runId });

/** An unresolved alert, as far as a list of runs shows it. */
export const openAlert = z.object({ rule: ruleName, severity, step: z.number().int() });
export type OpenAlert = z.infer<typeof openAlert>;

/** `board`: what changed in a run since the last tick. Non-finite numbers come as strings. */
export const boardChange = z.object({
  run: runId,
  status: runStatus,
  lastStep: z.number().int().nullable(),
  loss: wireNumber.nullable(),
  tevMean: wireNumber.nullable(),
  /** Of divergence within 100 steps; the step it is expected at, and an interval that holds it four times of five. */
  risk: z.number().nullable(),
  divergenceStep: z.number().int().nullable(),
  divergenceInterval: z.tuple([z.number().int(), z.number().int()]).nullable(),
  openAlerts: z.array(openAlert),
});
export type BoardChange = z.input<typeof boardChange>;
