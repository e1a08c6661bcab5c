/** What a rule reads of a step; a protocol step event is one. TEV alone is enough to be judged by. */
export interface Signals {
  step: number;
  loss?: number | null | undefined;
  tevMean?: number | null | undefined;
  gradVar?: number | null | undefined;
  gradNorm?: number | null | undefined;
}

/** A rule's condition that has just become true. */
export interface Finding {
  rule: 'tev-growth' | 'loss-spike' | 'non-finite';
  severity: 'warning' | 'critical';
  step: number;
  /** One sentence for a person, its numbers rounded. */
  message: string;
  /** The numbers behind the message, by name; all are finite. */
  evidence: Record<string, number>;
}

/**
 * How many steps before the newest a rule may read. The memory of a detector, and so what must be read back to restore
 * one, follows from it.
 */
export const WINDOW_STEPS = 128;

/**
 * Says whether a rule's condition holds at the newest step, the last of `history`, which is in the order of the steps.
 * Pure, and blind to all but the newest step and the {@link WINDOW_STEPS} before it.
 */
export type Rule = (history: readonly Signals[]) => Finding | null;
