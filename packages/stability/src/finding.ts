import type { Explanation, Severity } from './rules/rule.ts';

/** The reason of an alert that opened or became worse. */
export interface Finding extends Explanation {
  /** The rule's name. */
  rule: string;
  severity: Severity;
  /** The last step that the rule looked at. */
  step: number;
  /** The step at which the alert opened: `step`, unless it has become worse. */
  since: number;
}

/** A change of the one alert that a rule may have open for a run. */
export type Verdict =
  | { kind: 'opened' | 'escalated'; finding: Finding }
  | { kind: 'resolved'; rule: string; step: number; since: number; message: string };
