import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { type Growth, growthOf } from './growth.ts';
import { growthMargin, knowsLoss, surgeMargin, type Term } from './margin.ts';
import { type ForecastModel, HORIZON_STEPS, type Lead, levelAt, MODEL } from './model.ts';
import { Trail, type TrailPoint, type TrailState } from './trail.ts';

/** The forecast of divergence at a step. */
export interface Forecast {
  step: number;
  /** The greater of the margins of growth and of a surge: at 0 and above all that must hold holds. */
  margin: number;
  /** What decides the margin: of all that must hold what holds with the lowest margin, or the surge. */
  term: Term;
  /** That of TEV which grows ever faster over tens of steps, as under a learning rate that rises too far. */
  growthMargin: number;
  /** That of TEV which shoots up within ten, as at the edge of stability; null where it does not. */
  surgeMargin: number | null;
  /** Of recorded runs that looked like this, the share that diverged within 100 steps; nothing was changed in them. */
  risk: number;
  /** Where the run diverges if it does; null while the risk is too low to predict a step. */
  divergenceStep: number | null;
  /** Of runs that did diverge, of kinds that taught nothing, about eight of ten did so within it. */
  interval: readonly [number, number] | null;
  /** Finite numbers by name; those of the learning rate and the gradient only once a divergence is predicted. */
  evidence: Record<string, number>;
  /** One sentence for a person. */
  message: string;
}

/** Plain data, from which {@link Forecaster.restore} continues. */
export type ForecasterState = TrailState;

/** At a lower risk no step is predicted. */
const MIN_PREDICTED = 0.3;

/**
 * Forecasts divergence from how TEV grows, step by step, in constant time and memory. Steps may be missing, logged at
 * any interval, repeated and rewound, and may lack TEV; the forecast is then the last one.
 *
 * Two margins (margin.ts): that of growth is the lowest of all that must hold, so that a learning rate which rises for good
 * reason does not alarm while the loss falls or the micro-batches disagree; that of a surge is of its speed. TEV alone is
 * enough; loss, gradients and the learning rate each count where they are known.
 */
export class Forecaster {
  readonly #model: ForecastModel;
  #trail = new Trail();

  constructor(model: ForecastModel = MODEL) {
    this.#model = model;
  }

  static restore(state: ForecasterState, model?: ForecastModel): Forecaster {
    const forecaster = new Forecaster(model);
    forecaster.#trail = Trail.restore(state);
    return forecaster;
  }

  /** Plain data; a forecaster restored from it goes on as this one. */
  state(): ForecasterState {
    return this.#trail.state();
  }

  /** Null while the run is too young to be judged. */
  observe(signals: Signals): Forecast | null {
    this.#trail.add(signals);
    const growth = growthOf(this.#trail);
    return growth && this.#forecast(signals.step, growth);
  }

  #forecast(step: number, growth: Growth): Forecast {
    const model = this.#model;
    const grown = growthMargin(growth);
    const surge = surgeMargin(model.surge, growth.surge);
    const { value: margin, term } = surge && surge.value > grown.value ? surge : grown;
    const level = levelAt(knowsLoss(growth) ? model.levels : model.levelsOfTev, margin);
    const lead = level.risk >= MIN_PREDICTED ? this.#lead(level, term) : null;
    const forecast: Forecast = {
      step,
      margin,
      term,
      growthMargin: grown.value,
      surgeMargin: surge?.value ?? null,
      risk: level.risk,
      divergenceStep: lead && step + Math.round(lead.middle),
      interval: lead && [step + Math.round(lead.low), step + Math.round(lead.high)],
      evidence: evidenceOf(growth, margin, lead ? this.#trail.points : []),
      message: CALM,
    };
    if (lead) forecast.message = describe(forecast);
    return forecast;
  }

  /** A surge leaves fewer steps than growth that has come as far. */
  #lead(level: Lead, term: Term): Lead {
    return term === 'surge' ? this.#model.surgeLead : level;
  }
}

/** In place of a sentence that nobody reads: every step of a healthy run would pay for it. */
const CALM = 'TEV grows as in healthy runs';

/** Points at each end of the trail whose gradient variances are averaged: single ones are noise. */
const AVERAGED = 5;

function evidenceOf(growth: Growth, margin: number, points: readonly TrailPoint[]): Record<string, number> {
  const evidence: Record<string, number> = {};
  // what is unknown, or beyond a number's range, is no evidence
  const add = (name: string, value: number | null) => {
    if (value !== null && Number.isFinite(value)) evidence[name] = value;
  };
  add('margin', margin);
  add('exponent', growth.exponent);
  add('excess', growth.excess);
  add('rate', growth.rate);
  if (growth.rate > 0) add('doublingSteps', Math.LN2 / growth.rate);
  add('accelerates', growth.accelerates ? 1 : 0);
  add('lossRise', growth.lossRise);
  add('agreement', growth.agreement);
  if (growth.rateAhead !== null) add('lrAheadRatio', Math.exp(growth.rateAhead));
  if (growth.surge) {
    add('speed', growth.surge.speed);
    add('acceleration', growth.surge.acceleration);
  }
  const [oldest, newest] = [points[0], points.at(-1)];
  if (!oldest || !newest || points.length < 2 * AVERAGED) return evidence;
  add('steps', newest.step - oldest.from);
  if (newest.lr !== null && oldest.lr !== null) add('lrRatio', newest.lr / oldest.lr);
  add('gradVarRatio', Math.exp(meanLog(points.slice(-AVERAGED)) - meanLog(points.slice(0, AVERAGED))));
  return evidence;
}

function meanLog(points: readonly TrailPoint[]): number {
  return points.reduce((sum, { gradVar }) => sum + Math.log(gradVar ?? Number.NaN), 0) / points.length;
}

/** What each term says where it holds, and where it holds back. */
const WORDS: Readonly<Record<Exclude<Term, 'surge'>, readonly [holds: string, holdsBack: string]>> = {
  exponent: ['TEV grows ever faster', 'TEV grows no faster than in healthy runs'],
  excess: ['TEV has outgrown the number of steps', 'TEV has hardly outgrown the number of steps'],
  rate: ['TEV grows fast', 'TEV grows slowly'],
  lossRise: ['the loss no longer falls', 'the loss still falls'],
  agreement: ['micro-batches come to agree', 'micro-batches do not come to agree'],
  rateAhead: ['the learning rate is about to rise', 'the learning rate is not about to rise'],
};

function describe({ risk, margin, term, divergenceStep, interval, evidence }: Forecast): string {
  const { speed = 0, doublingSteps, accelerates, exponent = 0, steps = 0, lrRatio = 1, gradVarRatio = 1 } = evidence;
  const clauses = [
    term === 'surge'
      ? `TEV shoots up by ${readable(100 * Math.expm1(speed), 2)} % a step`
      : `TEV ${doublingSteps ? `doubles every ${readable(doublingSteps, 2)} steps` : 'does not grow'}${accelerates ? ' and accelerates' : ''} (as step^${readable(exponent, 2)})`,
  ];
  if (lrRatio > 1.05) clauses.push(`learning rate x${readable(lrRatio, 2)} in ${steps} steps`);
  if (gradVarRatio > 2) clauses.push(`gradient variance x${readable(gradVarRatio, 2)} in ${steps} steps`);
  if (term !== 'surge') clauses.push(...reasons(margin, term, evidence));
  const chance = `${Math.round(100 * risk)} % risk of divergence within ${HORIZON_STEPS} steps`;
  const where =
    divergenceStep && interval ? `, most likely around step ${divergenceStep} (${interval[0]} to ${interval[1]})` : '';
  return `${clauses.join('; ')}: ${chance}${where}`;
}

/** What else drives the divergence where all holds, otherwise what holds it back most. */
function reasons(margin: number, term: Exclude<Term, 'surge'>, evidence: Forecast['evidence']): string[] {
  if (margin < 0) return [`held back since ${WORDS[term][1]}`];
  const known = (['lossRise', 'agreement'] as const).filter((name) => evidence[name] !== undefined);
  return [...known, ...(evidence.lrAheadRatio === undefined ? [] : (['rateAhead'] as const))].map(
    (name) => WORDS[name][0],
  );
}
