import { Detector, median, RULES, type Signals, spread, upperMedian } from '@evenkeel/stability';
import type { BenchStep } from './run-set.ts';

/** Whether a detector alarms at a step; created per run, since it keeps state. */
export type Alarm = (signals: BenchStep) => boolean;

/** Detectors in use elsewhere, simple ones, and our own rule for runs without TEV; none has parameters that are fitted here. */
export const BASELINES: Record<string, () => Alarm> = {
  'non-finite; 5 losses above twice the mean of 100': lossDoubled,
  'loss above mean + 6 sigma of the last 128': () => sigmas('loss'),
  'robust z > 8 on the loss': robustZ,
  'CUSUM on the loss (k 0.5, h 5 sigma)': cusum,
  'trainscope: CUSUM on the loss (k 1, h 6 robust sigma of 200)': robustCusum,
  'gradient norm above mean + 6 sigma of the last 128': () => sigmas('gradNorm'),
  'ZClip: z > 2.5 on the gradient norm, EMA 0.97': zClip,
  'gradient variance above mean + 6 sigma of the last 128': () => sigmas('gradVar'),
  'attention logit above 100': () => above('attentionLogitMax', 100),
  'StableAdamW: RMS of g/√v above 2.3': () => above('updateRms', 2.3),
  'learning rate above its warm-up peak': aboveWarmup,
  'loss-lost, given loss and gradient norm': () => lossLost('gradNorm'),
  'loss-lost, given loss and learning rate': () => lossLost('lr'),
  'TEV: exponent over 30 steps above 2, from step 80': tevExponent,
  'TEV: slope over 8 steps above 0.05, from step 16': () => tevSlope(16),
  'TEV: either of the two, the slope from step 24': () => either(tevExponent(), tevSlope(24)),
};

type Field = 'loss' | 'gradNorm' | 'gradVar';

function isFiniteNumber(value: number | null | undefined): value is number {
  return value != null && Number.isFinite(value);
}

/** The newest `size` finite values before a step. */
function memory(size: number): { values: number[]; add: (value: number) => void } {
  const values: number[] = [];
  return {
    values,
    add: (value) => {
      values.push(value);
      if (values.length > size) values.shift();
    },
  };
}

/** Critical alerts of our rule for runs that send no TEV. */
function lossLost(also: 'gradNorm' | 'lr'): Alarm {
  const detector = new Detector({}, { rules: RULES.filter(({ name }) => name === 'loss-lost') });
  return ({ step, loss, [also]: value }) => raisesCritical(detector, { step, loss, [also]: value });
}

/** Has a detector see the next step: whether an alert is critical from there on. */
export function raisesCritical(detector: Detector, signals: Signals): boolean {
  const verdicts = detector.observe(signals);
  return verdicts.some((verdict) => verdict.kind !== 'resolved' && verdict.finding.severity === 'critical');
}

function lossDoubled(): Alarm {
  const { values, add } = memory(100);
  let above = 0;
  return ({ loss }) => {
    if (loss == null) return false;
    if (!Number.isFinite(loss)) return true;
    above = values.length === 100 && loss > 2 * spread(values).mean ? above + 1 : 0;
    add(loss);
    return above >= 5;
  };
}

/** The rule by which OLMo-core skips updates; with at least 64 values, as it does. */
function sigmas(field: Field): Alarm {
  const { values, add } = memory(128);
  return (signals) => {
    const value = signals[field];
    if (!isFiniteNumber(value)) return false;
    const { mean, std } = spread(values);
    const alarms = values.length >= 64 && value > mean + 6 * std;
    add(value);
    return alarms;
  };
}

/**
 * Limits of Kimi K2's QK-Clip (arXiv 2507.20534) and of what Wortsman et al. (arXiv 2304.13013) call a spike of the RMS.
 * They see nothing in a run that does not record their signal.
 */
function above(field: 'attentionLogitMax' | 'updateRms', limit: number): Alarm {
  return (signals) => (signals[field] ?? Number.NEGATIVE_INFINITY) > limit;
}

function robustZ(): Alarm {
  const { values, add } = memory(128);
  return ({ loss }) => {
    if (!isFiniteNumber(loss)) return false;
    let alarms = false;
    if (values.length >= 64) {
      const middle = upperMedian(values);
      const scale = 1.4826 * upperMedian(values.map((value) => Math.abs(value - middle)));
      alarms = loss > middle + 8 * scale;
    }
    add(loss);
    return alarms;
  };
}

/** Page's test with the usual constants: an allowance of half a sigma, alarm at five. */
function cusum(): Alarm {
  const { values, add } = memory(128);
  let sum = 0;
  return ({ loss }) => {
    if (!isFiniteNumber(loss)) return false;
    const { mean, std } = spread(values);
    if (values.length >= 64) sum = Math.max(0, sum + (loss - mean) / std - 0.5);
    add(loss);
    return sum > 5;
  };
}

/** Upwards alone: the loss of every run that learns drifts down. */
function robustCusum(): Alarm {
  const { values, add } = memory(200);
  let sum = 0;
  return ({ loss }) => {
    if (!isFiniteNumber(loss)) return false;
    if (values.length >= 30) {
      const middle = median(values);
      const scale = Math.max(1e-12, 1.4826 * median(values.map((value) => Math.abs(value - middle))));
      sum = Math.max(0, sum + (loss - middle) / scale - 1);
    }
    add(loss);
    return sum >= 6;
  };
}

/** Kumar et al., arXiv 2504.02507: mean and variance of the gradient norm as moving averages, after 25 steps of warm-up. */
function zClip(): Alarm {
  const { values, add } = memory(25);
  let state: { mean: number; variance: number } | null = null;
  return ({ gradNorm }) => {
    if (!isFiniteNumber(gradNorm)) return false;
    if (!state) {
      add(gradNorm);
      if (values.length === 25) state = { mean: spread(values).mean, variance: spread(values).std ** 2 };
      return false;
    }
    const z = (gradNorm - state.mean) / Math.sqrt(state.variance);
    // A clipped norm enters the averages with its clipped value.
    const taken = z > 2.5 ? state.mean + (2.5 ** 2 / z) * Math.sqrt(state.variance) : gradNorm;
    state.variance = 0.97 * state.variance + 0.03 * (taken - state.mean) ** 2;
    state.mean = 0.97 * state.mean + 0.03 * taken;
    return z > 2.5;
  };
}

/** Above the peak that it had when it first stopped rising. */
function aboveWarmup(): Alarm {
  let peak = 0;
  let isWarm = false;
  return ({ lr }) => {
    if (!isFiniteNumber(lr)) return false;
    if (!isWarm && lr <= peak) isWarm = true;
    if (!isWarm) peak = lr;
    return isWarm && lr > 1.001 * peak;
  };
}

/** The line through log TEV of the last `steps` steps, three points at least, against a function of the step. */
function tevLine(steps: number, x: (step: number) => number): (signals: BenchStep) => number | null {
  const points: [step: number, x: number, y: number][] = [];
  return ({ step, tevMean }) => {
    if (!isFiniteNumber(tevMean) || tevMean <= 0 || step === 0) return null;
    points.push([step, x(step), Math.log(tevMean)]);
    while (points.length > 3 && (points[0] as [number, number, number])[0] <= step - steps) points.shift();
    if (points.length < 3) return null;
    const meanX = points.reduce((sum, [, at]) => sum + at, 0) / points.length;
    const meanY = points.reduce((sum, [, , y]) => sum + y, 0) / points.length;
    const covariance = points.reduce((sum, [, at, y]) => sum + (at - meanX) * (y - meanY), 0);
    return covariance / points.reduce((sum, [, at]) => sum + (at - meanX) ** 2, 0);
  };
}

function tevExponent(): Alarm {
  const exponent = tevLine(30, Math.log);
  return (signals) => (exponent(signals) ?? 0) > 2 && signals.step >= 80;
}

function tevSlope(from: number): Alarm {
  const slope = tevLine(8, (step) => step);
  return (signals) => (slope(signals) ?? 0) > 0.05 && signals.step >= from;
}

function either(...alarms: readonly Alarm[]): Alarm {
  return (signals) => alarms.map((alarm) => alarm(signals)).some(Boolean);
}
