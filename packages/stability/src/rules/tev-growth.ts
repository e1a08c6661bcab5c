import { type Forecast, Forecaster, type ForecasterState } from '../forecast/forecaster.ts';
import type { ForecastModel } from '../forecast/model.ts';
import { isForecastable } from '../forecast/trail.ts';
import type { Signals } from '../signals.ts';
import type { Level, Reading, Rule } from './rule.ts';
import type { RuleSettings } from './settings.ts';

/**
 * The risk of divergence that {@link Forecaster} reads from the growth of TEV is above a limit.
 *
 * Source: Chung et al., arXiv 2409.07787, for TEV as the sign; the limits and what they cost are measured by
 * `evenkeel bench forecast`.
 */
export class TevGrowth implements Rule<ForecasterState> {
  readonly #limits: RuleSettings['tev-growth'];
  readonly #forecaster: Forecaster;
  forecast: Forecast | null = null;

  constructor(limits: RuleSettings['tev-growth'], state?: ForecasterState, model?: ForecastModel) {
    this.#limits = limits;
    this.#forecaster = state ? Forecaster.restore(state, model) : new Forecaster(model);
  }

  state(): ForecasterState {
    return this.#forecaster.state();
  }

  observe(signals: Signals): Reading | null {
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
