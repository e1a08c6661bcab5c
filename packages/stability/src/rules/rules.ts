import { attentionCollapse } from './attention-collapse.ts';
import { gradVariance } from './grad-variance.ts';
import { lossLost } from './loss-lost.ts';
import { lossSpike } from './loss-spike.ts';
import { nonFinite } from './non-finite.ts';
import type { ClockRule, Rule, StepRule } from './rule.ts';
import { stalled } from './stalled.ts';
import { tevGrowth } from './tev-growth.ts';
import { updateTooLarge } from './update-too-large.ts';

/** Every rule, in the order in which they judge a step and are shown. A new one is its file and a line here. */
export const RULES = [
  tevGrowth,
  lossLost,
  attentionCollapse,
  updateTooLarge,
  gradVariance,
  lossSpike,
  nonFinite,
  stalled,
] as const;

/** The name of a rule of {@link RULES}. */
export type RuleName = (typeof RULES)[number]['name'];
/** The name of a rule that judges by steps. */
export type StepRuleName = Extract<(typeof RULES)[number], StepRule>['name'];

/** Names of all {@link RULES}, in their order. */
export const RULE_NAMES: readonly RuleName[] = RULES.map(({ name }) => name);

/** Those that judge by the steps alone, and so can judge a recorded run. */
export const STEP_RULES: readonly StepRule[] = stepRulesOf(RULES);
/** Names of the rules that judge by steps alone, and so can judge a recorded run. */
export const STEP_RULE_NAMES = STEP_RULES.map(({ name }) => name) as readonly StepRuleName[];

export function stepRulesOf(rules: readonly Rule[]): StepRule[] {
  return rules.filter((rule) => rule.kind === 'step');
}

export function clockRulesOf(rules: readonly Rule[]): ClockRule[] {
  return rules.filter((rule) => rule.kind === 'clock');
}

/** A rule by the name that an alert carries; undefined where it is of another version of Evenkeel. */
export function findRule(name: string): Rule | undefined {
  return RULES.find((rule) => rule.name === name);
}
