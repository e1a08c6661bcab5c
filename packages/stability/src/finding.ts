import type { RuleName } from './rules/settings.ts';

export type Severity = 'warning' | 'critical';

/** What a rule saw when its alert opened or became worse. */
export interface Finding {
  rule: RuleName;
  severity: Severity;
  step: number;
  /** The step at which the alert opened: `step`, unless it has become worse. */
  since: number;
  /** One sentence for a person, its numbers rounded. */
  message: string;
  /** The numbers behind the message, by name; all are finite. */
  evidence: Record<string, number>;
  /** The first step that the rule looked at; the last is `step`. */
  from: number;
  /** Of divergence within 100 steps; null where the rule does not forecast. */
  risk: number | null;
  divergenceStep: number | null;
}

/** What happens to the one alert that a rule may have open for a run. */
export type Verdict =
  | { kind: 'opened' | 'escalated'; finding: Finding }
  | { kind: 'resolved'; rule: RuleName; step: number; since: number; message: string };
