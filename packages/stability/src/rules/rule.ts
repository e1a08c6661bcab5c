import type { Finding } from '../finding.ts';
import type { Forecast } from '../forecast/forecaster.ts';
import type { Signals } from '../signals.ts';

/** Calm resolves an alert, uneasy keeps it as it is. */
export type Level = 'calm' | 'uneasy' | 'warning' | 'critical';

/** What a rule makes of a step. */
export interface Reading {
  level: Level;
  /** Why; asked for only when an alert opens or becomes worse. */
  explain: () => Omit<Finding, 'rule' | 'severity' | 'step' | 'since'>;
}

/** Looks at a run step by step. Steps that are not after the last rewind it. */
export interface Rule<State = unknown> {
  /** Null where the step has nothing that the rule could judge by. */
  observe(signals: Signals): Reading | null;
  /** Plain data, from which the rule's constructor goes on. */
  state(): State;
  /** Of a rule that forecasts: what it last said; null where it has nothing to go by. */
  readonly forecast?: Forecast | null;
}

export const CALM: Reading = {
  level: 'calm',
  explain: () => ({ message: 'all is well', evidence: {}, from: 0, risk: null, divergenceStep: null }),
};
