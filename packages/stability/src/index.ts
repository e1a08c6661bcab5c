export { DETECTOR_MEMORY_STEPS, Detector } from './detector.ts';
export type { Finding, Signals } from './finding.ts';
export { gradientNoiseScale, type MicroBatches } from './gradient-noise-scale.ts';
export { type GradientStatistics, GradientVariance, type ParameterTensor } from './gradient-variance.ts';
export { TEV_QUANTILES, type Tev, tokenEmbeddingVariability } from './tev.ts';
