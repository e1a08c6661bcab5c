export { chooseAttempt, isInert, isLaterLife, type KnownAttempt } from './attempt-choice.ts';
export { AttemptReplay, type ReplayedAttempt } from './attempt-replay.ts';
export { Detector, type DetectorState } from './detector.ts';
export { divergedAt } from './divergence.ts';
export { DivergenceReplay } from './divergence-replay.ts';
export type { Finding, Verdict } from './finding.ts';
export { fitForecast, type LabeledRun } from './forecast/fit.ts';
export { type Forecast, Forecaster, type ForecasterState } from './forecast/forecaster.ts';
export { fitLogistic, logit } from './forecast/logistic.ts';
export { type ForecastModel, HORIZON_STEPS, type Level } from './forecast/model.ts';
export { gradientNoiseScale, type MicroBatches } from './gradient-noise-scale.ts';
export { type GradientStatistics, GradientVariance, type ParameterTensor } from './gradient-variance.ts';
export { type Label, labelOf } from './label.ts';
export { answerTo, type CausedCommand } from './policy.ts';
export type { EvidenceFormat, Rule } from './rules/rule.ts';
export {
  findRule,
  RULE_NAMES,
  RULES,
  type RuleName,
  STEP_RULE_NAMES,
  type StepRuleName,
} from './rules/rules.ts';
export {
  DEFAULT_RULE_SETTINGS,
  disabledRules,
  knownSettings,
  type RuleSettings,
  ruleSettings,
} from './rules/settings.ts';
export { tevGrowthBy } from './rules/tev-growth.ts';
export { SIGNAL_NAMES, type SignalName, type Signals } from './signals.ts';
export { mean, median, spread, upperMedian } from './statistics.ts';
export { ASSEMBLY_MS, StepAssembler } from './step-assembler.ts';
export {
  extendBounds,
  isConfirmed,
  type Jump,
  NO_STEPS,
  refuted,
  type StepBounds,
  withoutStep,
  withStep,
} from './step-bounds.ts';
export { TEV_QUANTILES, type Tev, tokenEmbeddingVariability } from './tev.ts';
export { type AttemptSpan, ownedSpans, type StepSpan, supersededSpans, Timeline } from './timeline.ts';
export { Trial, type TriedAlert } from './trial.ts';
