import { type Forecast, Forecaster, type ForecasterState } from '../forecast/forecaster.ts';
import type { ForecastModel } from '../forecast/model.ts';
import { isForecastable } from '../forecast/trail.ts';
import type { Signals } from '../signals.ts';
import { type Assessment, type Level, margin, type StepObserver, stepRule } from './rule.ts';

interface Limits {
  /** Margins from which the alert opens, and is critical. */
  warningMargin: number;
  criticalMargin: number;
  /** Below this margin the rule is calm. */
  calmMargin: number;
}

/**
 * The margin that {@link Forecaster} reads from the growth of TEV is above a limit.
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

  #level({ margin }: Forecast): Level {
    const { warningMargin, criticalMargin, calmMargin } = this.#limits;
    if (margin >= criticalMargin) return 'critical';
    if (margin >= warningMargin) return 'warning';
    return margin < calmMargin ? 'calm' : 'uneasy';
  }
}

/** @param model what the forecast has learned; the shipped model where it is undefined. */
export function tevGrowthBy(model?: ForecastModel) {
  return stepRule({
    name: 'tev-growth',
    title: 'TEV growth',
    what: 'The forecast: the loss is about to blow up, by the growth of TEV over 40 steps while the loss no longer falls, micro-batches agree and the learning rate is about to rise, each where it is known, or by a surge of TEV over 8. The margin says by how much all this holds: at 0 everything does.',
    formula:
      'margin = the greater of min over what is known of (exponent − 1.6)/0.5, (excess − 0.1)/0.1, (rate − 0.003)/0.001, (loss rise − 0.05)/0.1, (agreement − 0.05)/0.1, (log of the learning rate in 20 steps over that of now − 0.05)/0.1, and for a surge the log odds of speed, acceleration, spread / 0.81',
    source:
      'TEV as the sign: Chung et al., arXiv 2409.07787. Limits and risks: measured on recorded runs (evenkeel bench forecast)',
    settings: {
      warningMargin: margin(-0.5, 'Warning from'),
      criticalMargin: margin(0, 'Critical from'),
      calmMargin: margin(-1, 'Calm below'),
    },
    ascending: [['calmMargin', 'warningMargin', 'criticalMargin']],
    evidence: {
      margin: ['margin', 'number'],
      exponent: ['TEV grows as the step to the power of', 'number'],
      excess: ['TEV beyond proportion to the step', 'log times'],
      rate: ['TEV grows by', 'log growth'],
      doublingSteps: ['TEV doubles every', 'steps'],
      accelerates: ['growth accelerates', 'yes or no'],
      lossRise: ['loss in 40 steps, of what was learned', 'number'],
      agreement: ['agreement of micro-batches', 'log times'],
      lrAheadRatio: ['learning rate in 20 steps', 'times'],
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
