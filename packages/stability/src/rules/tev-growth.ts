import { type Forecast, Forecaster, type ForecasterState } from '../forecast/forecaster.ts';
import type { ForecastModel } from '../forecast/model.ts';
import { isForecastable } from '../forecast/trail.ts';
import type { Signals } from '../signals.ts';
import { type Assessment, type Level, risk, type StepObserver, stepRule } from './rule.ts';

interface Limits {
  /** Risks at which the alert opens, and at which it is critical. */
  warning: number;
  critical: number;
  /** The same for a surge: it leaves ten or twenty steps to act, so it is acted on when less is certain. */
  surgeWarning: number;
  surgeCritical: number;
  /** Below this risk the rule is calm. */
  calm: number;
}

/**
 * The risk of divergence that {@link Forecaster} reads from the growth of TEV is above a limit.
 *
 * Source: Chung et al., arXiv 2409.07787, for TEV as the sign; the limits and what they cost are measured by
 * `evenkeel bench forecast`.
 */
class TevGrowth implements StepObserver {
  readonly #limits: Limits;
  readonly #forecaster: Forecaster;
  forecast: Forecast | null = null;

  constructor(limits: Limits, state?: ForecasterState, model?: ForecastModel) {
    this.#limits = limits;
    this.#forecaster = state ? Forecaster.restore(state, model) : new Forecaster(model);
  }

  state(): ForecasterState {
    return this.#forecaster.state();
  }

  observe(signals: Signals): Assessment | null {
    const forecast = this.#forecaster.observe(signals);
    this.forecast = forecast;
    if (!forecast || !isForecastable(signals)) return null;
    const { message, evidence, risk, divergenceStep } = forecast;
    const from = signals.step - (evidence.steps ?? 0);
    return {
      level: this.#level(forecast),
      explain: () => ({ message, evidence, from, risk, divergenceStep }),
    };
  }

  #level({ growthRisk, surgeRisk }: { growthRisk: number; surgeRisk: number }): Level {
    const { warning, critical, surgeWarning, surgeCritical, calm } = this.#limits;
    if (growthRisk >= critical || surgeRisk >= surgeCritical) return 'critical';
    if (growthRisk >= warning || surgeRisk >= surgeWarning) return 'warning';
    return growthRisk < calm && surgeRisk < calm ? 'calm' : 'uneasy';
  }
}

/** @param model what the forecast has learned; the shipped model where it is undefined. */
export function tevGrowthBy(model?: ForecastModel) {
  return stepRule({
    name: 'tev-growth',
    title: 'TEV growth',
    what: 'The forecast: how likely the loss blows up within 100 steps, from the growth of TEV over 40 steps, and over 8 for a surge.',
    formula:
      'risk = σ(w · x), the greater of two: x = exponent d log TEV / d log step, excess over proportional growth, agreement of gradients; for a surge x = speed, acceleration, spread',
    source:
      'TEV as the sign: Chung et al., arXiv 2409.07787. Weights and limits: fitted and measured on recorded runs (evenkeel bench forecast)',
    settings: {
      warning: risk(0.5, 'Growth: warning from'),
      critical: risk(0.8, 'Growth: critical from'),
      surgeWarning: risk(0.4, 'Surge: warning from'),
      surgeCritical: risk(0.5, 'Surge: critical from'),
      calm: risk(0.25, 'Calm below'),
    },
    ascending: [
      ['calm', 'warning', 'critical'],
      ['calm', 'surgeWarning', 'surgeCritical'],
    ],
    evidence: {
      exponent: ['TEV grows as the step to the power of', 'number'],
      excess: ['TEV beyond proportion to the step', 'log times'],
      rate: ['TEV grows by', 'log growth'],
      doublingSteps: ['TEV doubles every', 'steps'],
      accelerates: ['growth accelerates', 'yes or no'],
      agreement: ['agreement of micro-batches', 'log times'],
      speed: ['TEV over the last 8 steps', 'log growth'],
      acceleration: ['its change a step', 'log times'],
      steps: ['seen over', 'steps'],
      lrRatio: ['learning rate', 'times'],
      gradVarRatio: ['gradient variance', 'times'],
    },
    isAnswered: true,
    marks: 'tevMean',
    create: (settings, state) => new TevGrowth(settings, state as ForecasterState | undefined, model),
  });
}

export const tevGrowth = tevGrowthBy();
