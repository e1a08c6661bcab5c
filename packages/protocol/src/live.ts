import { z } from 'zod';
import { ruleName, severity } from './alert.ts';
import { runId, runStatus } from './run.ts';
import { wireNumber } from './step.ts';

/** `watch` and `unwatch`: a viewer starts or stops receiving the steps of a run; the board is sent to all. */
export const watchRequest = z.object({ run: runId });

/** An unresolved alert, as far as a list of runs shows it. */
export const openAlert = z.object({ rule: ruleName, severity, step: z.number().int() });
/** A parsed {@link openAlert}. */
export type OpenAlert = z.infer<typeof openAlert>;

/** `board`: what changed in a run since the last tick. Non-finite numbers come as strings. */
export const boardChange = z.object({
  run: runId,
  status: runStatus,
  lastStep: z.number().int().nullable(),
  loss: wireNumber.nullable(),
  tevMean: wireNumber.nullable(),
  /** Probability of divergence within 100 steps; the step it is expected at, and an 80 % interval of that step. */
  risk: z.number().nullable(),
  divergenceStep: z.number().int().nullable(),
  divergenceInterval: z.tuple([z.number().int(), z.number().int()]).nullable(),
  openAlerts: z.array(openAlert),
});
/** A {@link boardChange} as it is sent, before parsing: non-finite numbers are strings. */
export type BoardChange = z.input<typeof boardChange>;
