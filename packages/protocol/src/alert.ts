import { z } from 'zod';
import { attemptNumber, runId } from './run.ts';

/**
 * The name of a rule: lower-case words joined by `-`. Which rules there are is not part of the protocol: a client shows an
 * alert of a rule that it does not know under its name.
 */
export const ruleName = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected lower-case words joined by -');

export const SEVERITIES = ['warning', 'critical'] as const;
export const severity = z.enum(SEVERITIES);
export type Severity = z.infer<typeof severity>;

export const ALERT_STATUSES = ['open', 'acknowledged', 'resolved'] as const;
export const alertStatus = z.enum(ALERT_STATUSES);
export type AlertStatus = z.infer<typeof alertStatus>;

const stepNumber = z.number().int().min(0);

/** Opened by a rule for a run. A run has at most one unresolved alert of each rule. */
export const alert = z.object({
  id: z.uuid(),
  run: runId,
  rule: ruleName,
  severity,
  status: alertStatus,
  /** Whose steps it was raised by. */
  attempt: attemptNumber,
  /** The step at which it opened. */
  step: stepNumber,
  /** What follows is of when it opened, or, where it has become worse since, of then. One sentence for a person. */
  message: z.string(),
  /** The numbers behind the message, by name. */
  evidence: z.record(z.string(), z.number()),
  /** The steps that the rule looked at: first and last. */
  window: z.tuple([stepNumber, stepNumber]),
  /** Of divergence within 100 steps, and the step it is expected at; null where the rule does not forecast. */
  risk: z.number().nullable(),
  divergenceStep: z.number().int().nullable(),
  openedAt: z.date(),
  acknowledgedAt: z.date().nullable(),
  resolvedAt: z.date().nullable(),
  /** What a person has written about it, who (null where that was not told) and when; all null where nobody has. */
  note: z.string().nullable(),
  notedBy: z.string().nullable(),
  notedAt: z.date().nullable(),
});
export type Alert = z.infer<typeof alert>;
