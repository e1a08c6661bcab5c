export { Detector, type DetectorState, STEP_RULES, type StepRule } from './detector.ts';
export type { Finding, Severity, Verdict } from './finding.ts';
export { fitForecast, type LabelledRun } from './forecast/fit.ts';
export { type Forecast, Forecaster, type ForecasterState } from './forecast/forecaster.ts';
export { fitLogistic, logit } from './forecast/logistic.ts';
export { type ForecastModel, HORIZON_STEPS } from './forecast/model.ts';
export { gradientNoiseScale, type MicroBatches } from './gradient-noise-scale.ts';
export { type GradientStatistics, GradientVariance, type ParameterTensor } from './gradient-variance.ts';
export {
  DEFAULT_RULES,
  problemOfRules,
  type RuleName,
  type RuleOverrides,
  type RuleSettings,
} from './rules/settings.ts';
export type { Signals } from './signals.ts';
export { TEV_QUANTILES, type Tev, tokenEmbeddingVariability } from './tev.ts';
export { Trial, type TriedAlert, type TriedAttempt } from './trial.ts';
