import { z } from 'zod';
import { attemptNumber, runId } from './run.ts';
import { stepNumber } from './step.ts';

/**
 * The name of a rule: lower-case words joined by `-`. Which rules there are is not part of the protocol: a client shows an
 * alert of a rule that it does not know under its name.
 */
export const ruleName = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected lower-case words joined by -');

/** From the mildest to the worst. */
export const SEVERITIES = ['warning', 'critical'] as const;
/** The severity of an alert: one of {@link SEVERITIES}. */
export const severity = z.enum(SEVERITIES);
/** See {@link SEVERITIES}. */
export type Severity = z.infer<typeof severity>;

/** In the order in which an alert passes through them; it may skip `acknowledged`. */
export const ALERT_STATUSES = ['open', 'acknowledged', 'resolved'] as const;
/** Whether an alert is new, seen by a person, or over: one of {@link ALERT_STATUSES}. */
export const alertStatus = z.enum(ALERT_STATUSES);
/** See {@link ALERT_STATUSES}. */
export type AlertStatus = z.infer<typeof alertStatus>;

/** What a person may say of an alert, having seen what became of its run. */
export const ALERT_FEEDBACK = ['true', 'false alarm'] as const;
/** Whether a person calls an alert right: one of {@link ALERT_FEEDBACK}. */
export const alertFeedback = z.enum(ALERT_FEEDBACK);
/** See {@link ALERT_FEEDBACK}. */
export type AlertFeedback = z.infer<typeof alertFeedback>;

/**
 * What became of the run after an alert, in its attempt or a later one. `diverged`: the loss did. `healthy`: it finished and
 * did not. `running`: it is not over, or was not read to its end yet. `unknown`: it ended otherwise before that could show,
 * a command stopped it or reduced its learning rate, or a later attempt went on from before the end of an unfinished one.
 */
export const ALERT_OUTCOMES = ['diverged', 'healthy', 'running', 'unknown'] as const;
/** One of {@link ALERT_OUTCOMES}. */
export const alertOutcome = z.enum(ALERT_OUTCOMES);
/** See {@link ALERT_OUTCOMES}. */
export type AlertOutcome = z.infer<typeof alertOutcome>;

/** Opened by a rule for a run. A run has at most one unresolved alert of each rule. */
export const alert = z.object({
  id: z.uuid(),
  run: runId,
  rule: ruleName,
  severity,
  status: alertStatus,
  /** The attempt whose steps raised it. */
  attempt: attemptNumber,
  /** The step at which it opened. */
  step: stepNumber,
  /** One sentence for a person. This and the fields below are of when it opened, or of when it became critical. */
  message: z.string(),
  /** The numbers behind the message, by name. */
  evidence: z.record(z.string(), z.number()),
  /** The steps that the rule looked at: first and last. */
  window: z.tuple([stepNumber, stepNumber]),
  /** Probability of divergence within 100 steps, and the step it is expected at; null where the rule does not forecast. */
  risk: z.number().nullable(),
  divergenceStep: z.number().int().nullable(),
  openedAt: z.date(),
  acknowledgedAt: z.date().nullable(),
  resolvedAt: z.date().nullable(),
  /** The note of a person, its author (null where unknown) and its time; all null where there is none. */
  note: z.string().nullable(),
  notedBy: z.string().nullable(),
  notedAt: z.date().nullable(),
  /** Whether a person calls it right, likewise. */
  feedback: alertFeedback.nullable(),
  feedbackBy: z.string().nullable(),
  feedbackAt: z.date().nullable(),
});
/** An alert as the server holds it, its times as dates. See {@link alert}. */
export type Alert = z.infer<typeof alert>;
