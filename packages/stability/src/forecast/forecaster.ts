import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { type Growth, growthOf } from './growth.ts';
import {
  type ForecastModel,
  growthInputs,
  growthRisk as growthRiskOf,
  HORIZON_STEPS,
  type Lead,
  MIN_SURGE,
  MODEL,
  surgeRisk as surgeRiskOf,
  surgeScore,
} from './model.ts';
import { Trail, type TrailPoint, type TrailState } from './trail.ts';

/** The forecast of divergence at a step. */
export interface Forecast {
  step: number;
  /** Probability of onset within 100 steps: the greater of the two below. */
  risk: number;
  /** That of TEV which grows ever faster over tens of steps, as under a learning rate that rises too far. */
  growthRisk: number;
  /** That of TEV which shoots up within ten, as at the edge of stability. */
  surgeRisk: number;
  /** Where the run diverges if it does; null while the risk is too low to predict a step. */
  divergenceStep: number | null;
  /** Of runs that did diverge, eight of ten did so within it. */
  interval: readonly [number, number] | null;
  /** Finite numbers by name; those of the learning rate and the gradient only once a divergence is predicted. */
  evidence: Record<string, number>;
  /** One sentence for a person. */
  message: string;
}

/** Plain data, from which {@link Forecaster.restore} continues. */
export interface ForecasterState {
  first: number | null;
  points: TrailState;
}

/**
 * Forecasts divergence from how TEV grows, step by step, in constant time and memory. Steps may be missing, logged at
 * any interval, repeated and rewound, and may lack TEV; the forecast is then the last one.
 *
 * Two logistic risks, each of one score (model.ts): the slow one of the exponent and the excess of TEV's growth, the fast
 * one of its speed. TEV alone is enough; where gradients are known, the slow one also asks whether the micro-batches come
 * to agree. Neither knows the learning rate, so that a schedule that is meant to rise does not alarm by itself.
 */
export class Forecaster {
  readonly #model: ForecastModel;
  #trail = new Trail();

  constructor(model: ForecastModel = MODEL) {
    this.#model = model;
  }

  static restore({ first, points }: ForecasterState, model?: ForecastModel): Forecaster {
    const forecaster = new Forecaster(model);
    forecaster.#trail = Trail.restore(first, points);
    return forecaster;
  }

  /** Plain data; a forecaster restored from it goes on as this one. */
  state(): ForecasterState {
    return { first: this.#trail.first, points: this.#trail.state() };
  }

  /** Null while the run is too young to be judged. */
  observe(signals: Signals): Forecast | null {
    this.#trail.add(signals);
    const growth = growthOf(this.#trail);
    return growth && this.#forecast(signals.step, growth);
  }

  #forecast(step: number, growth: Growth): Forecast {
    const model = this.#model;
    const growthRisk = growthRiskOf(model, growthInputs(growth));
    const surgeRisk = surgeRiskOf(model, growth.surge ? surgeScore(growth.surge) : MIN_SURGE);
    const risk = Math.max(growthRisk, surgeRisk);
    const lead = leadAt(growthRisk >= surgeRisk ? model.growthLeads : model.surgeLeads, risk);
    const evidence = evidenceOf(growth, lead ? this.#trail.points : []);
    const divergenceStep = lead && step + Math.round(lead.middle);
    const interval = lead && ([step + Math.round(lead.low), step + Math.round(lead.high)] as const);
    const forecast = { step, risk, growthRisk, surgeRisk, divergenceStep, interval, evidence, message: CALM };
    if (lead) forecast.message = describe(forecast);
    return forecast;
  }
}

/** In place of a sentence that nobody reads: every step of a healthy run would pay for it. */
const CALM = 'TEV grows as in healthy runs';

/** Linear between the risks that leads are known at; null below the lowest. */
function leadAt(leads: readonly Lead[], risk: number): Omit<Lead, 'risk'> | null {
  if (risk < (leads[0]?.risk ?? Number.POSITIVE_INFINITY)) return null;
  const above = leads.findIndex((lead) => lead.risk > risk);
  const [low, high] = [leads.at(above < 0 ? -1 : above - 1), leads.at(above)];
  if (!low || !high) return null;
  const share = high.risk > low.risk ? (risk - low.risk) / (high.risk - low.risk) : 0;
  const between = (name: 'low' | 'middle' | 'high') => low[name] + share * (high[name] - low[name]);
  return { low: between('low'), middle: between('middle'), high: between('high') };
}

/** Points at each end of the trail whose gradient variances are averaged: single ones are noise. */
const AVERAGED = 5;

function evidenceOf(growth: Growth, points: readonly TrailPoint[]): Record<string, number> {
  const evidence: Record<string, number> = {};
  // what is unknown, or beyond a number's range, is no evidence
  const add = (name: string, value: number | null) => {
    if (value !== null && Number.isFinite(value)) evidence[name] = value;
  };
  add('exponent', growth.exponent);
  add('excess', growth.excess);
  add('rate', growth.rate);
  if (growth.rate > 0) add('doublingSteps', Math.LN2 / growth.rate);
  add('accelerates', growth.accelerates ? 1 : 0);
  add('agreement', growth.agreement);
  if (growth.surge) {
    add('speed', growth.surge.speed);
    add('acceleration', growth.surge.acceleration);
  }
  const [oldest, newest] = [points[0], points.at(-1)];
  if (!oldest || !newest || points.length < 2 * AVERAGED) return evidence;
  add('steps', newest.step - oldest.step);
  if (newest.lr !== null && oldest.lr !== null) add('lrRatio', newest.lr / oldest.lr);
  add('gradVarRatio', Math.exp(meanLog(points.slice(-AVERAGED)) - meanLog(points.slice(0, AVERAGED))));
  return evidence;
}

function meanLog(points: readonly TrailPoint[]): number {
  return points.reduce((sum, { gradVar }) => sum + Math.log(gradVar ?? Number.NaN), 0) / points.length;
}

function describe({ risk, growthRisk, surgeRisk, divergenceStep, interval, evidence }: Forecast): string {
  const { speed = 0, doublingSteps, accelerates, exponent = 0, steps = 0, lrRatio = 1, gradVarRatio = 1 } = evidence;
  const sentences = [
    surgeRisk > growthRisk
      ? `TEV shoots up by ${readable(100 * Math.expm1(speed), 2)} % a step`
      : `TEV ${doublingSteps ? `doubles every ${readable(doublingSteps, 2)} steps` : 'does not grow'}${accelerates ? ' and accelerates' : ''} (as step^${readable(exponent, 2)})`,
  ];
  if (lrRatio > 1.05) sentences.push(`learning rate x${readable(lrRatio, 2)} in ${steps} steps`);
  if (gradVarRatio > 2) sentences.push(`gradient variance x${readable(gradVarRatio, 2)} in ${steps} steps`);
  const chance = `${Math.round(100 * risk)} % risk of divergence within ${HORIZON_STEPS} steps`;
  const where =
    divergenceStep && interval ? `, most likely around step ${divergenceStep} (${interval[0]} to ${interval[1]})` : '';
  return `${sentences.join('; ')}: ${chance}${where}`;
}
