import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { spread } from '../statistics.ts';
import { type Assessment, CALM, type Explanation, positive, type StepObserver, stepRule } from './rule.ts';
import { isFiniteNumber, Window, type WindowState } from './window.ts';

/** Single gradient variances scatter by a factor of two: so many of them are averaged … */
const NEW = 5;
/** … and held against so many before. */
const OLD = 64;
/** Fewer give no standard deviation to judge by. */
const MIN_OLD = 32;
/** No smaller standard deviation of the logarithm is believed. */
const MIN_STD = 0.1;

interface Limits {
  warning: number;
  critical: number;
}

/**
 * The mean of log gradVar over the last 5 steps, in standard deviations above its mean over the 64 before.
 *
 * Source: gradient variance grows before a divergence and is what TEV stands for (Chung et al., arXiv 2409.07787,
 * section 3); logarithms because it ranges over decades. On the recorded runs it says little: at 4.5 standard deviations
 * it finds a third of the divergences, in the median 4 steps ahead, and alarms on 5 % of the healthy runs.
 */
class GradVariance implements StepObserver {
  readonly #limits: Limits;
  readonly #window: Window;

  constructor(limits: Limits, state?: WindowState) {
    this.#limits = limits;
    this.#window = new Window(OLD + NEW, state);
  }

  state(): WindowState {
    return this.#window.state();
  }

  observe({ step, gradVar }: Signals): Assessment | null {
    this.#window.rewind(step);
    if (!isFiniteNumber(gradVar) || gradVar <= 0) return null;
    this.#window.add(step, Math.log(gradVar));
    const { values } = this.#window;
    if (values.length < MIN_OLD + NEW) return null;
    const old = values.length - NEW;
    const before = spread(values, 0, old);
    const now = spread(values, old, values.length).mean;
    const sigmas = (now - before.mean) / Math.max(before.std, MIN_STD);
    const { warning, critical } = this.#limits;
    if (sigmas < warning / 2) return CALM;
    const level = sigmas >= critical ? 'critical' : sigmas >= warning ? 'warning' : 'uneasy';
    const from = this.#window.firstStep ?? step;
    return { level, explain: () => explain(Math.exp(now), Math.exp(before.mean), sigmas, from) };
  }
}

function explain(now: number, before: number, sigmas: number, from: number): Explanation {
  return {
    message: `gradient variance is ${readable(now)} over the last ${NEW} steps, ${readable(now / before, 2)} times what it was (${readable(sigmas, 2)} sigma)`,
    evidence: { gradVar: now, gradVarBefore: before, sigmas },
    from,
    risk: null,
    divergenceStep: null,
  };
}

const UNIT = 'standard deviations';

export const gradVariance = stepRule({
  name: 'grad-variance',
  title: 'Gradient variance',
  what: 'Gradient variance is far above what it was. It comes late, or not at all, and is shown beside the forecast.',
  formula: '(mean of log gradVar over 5 steps − its mean over the 64 before) ÷ its standard deviation over those',
  source: 'Chung et al., arXiv 2409.07787, section 3',
  settings: { warning: positive(4.5, 'Warning from', UNIT), critical: positive(6, 'Critical from', UNIT) },
  ascending: [['warning', 'critical']],
  evidence: {
    gradVar: ['gradient variance', 'number'],
    gradVarBefore: ['before', 'number'],
    sigmas: ['standard deviations', 'number'],
  },
  isAnswered: true,
  marks: 'gradVar',
  create: (settings, state) => new GradVariance(settings, state as WindowState | undefined),
});
